"""Export a subnet's metagraph for `producer serve --metagraph`: uid → hotkey, and when it was read.

Needs Python 3.9 and bittensor 10 or 11. The file is replaced and never written over: a reader
finds the old export or the new one. When the chain cannot be read, the old one stays.
"""
import argparse, datetime, json, os, sys


def read(network, netuid):
    import bittensor  # here, so that --help needs no chain

    with bittensor.Subtensor(network) as chain:
        look_up = chain.metagraph if hasattr(chain, "metagraph") else chain.subnets.metagraph  # of 10, and of 11
        return dict(enumerate(look_up(netuid).hotkeys))


def write(hotkeys, out):
    now = datetime.datetime.now(datetime.timezone.utc)
    with open(out + ".new", "w") as file:
        json.dump({"exported_at": now.isoformat(), "hotkeys": hotkeys}, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(out + ".new", out)


if __name__ == "__main__":
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--network", default="finney", help="network, or the URL of a node (default finney)")
    flags.add_argument("--netuid", type=int, required=True, help="number of the subnet")
    flags.add_argument("--out", required=True, help="file to replace")
    given = flags.parse_args()
    found = read(given.network, given.netuid)
    if not found:
        sys.exit(f"subnet {given.netuid} of {given.network} has no uid; {given.out} stays as it is")
    write(found, given.out)
