// A grammar whose scanner does what a file asks it for: what who has taken a child
// over would try. Otherwise it is lua's, which stands beside it as honest.so.
//
// A file that begins with "--@ NAME ARGUMENT" has it try NAME; what came of it
// goes to standard error, a line for each try: "NAME: done", or why not.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

extern char **environ;

// A language as its ABI 14 has it, up to the scanner.
typedef struct {
  uint32_t numbers[9];
  uint16_t aliases;
  void *tables[15];
  uint16_t keyword;
  struct {
    void *states, *symbols, *create, *destroy;
    bool (*scan)(void *, void *, const bool *);
    void *serialize, *deserialize;
  } scanner;
  void *states;
} language;

typedef struct lexer {
  int32_t lookahead;
  uint16_t symbol;
  void (*advance)(struct lexer *, bool);
  void *mark_end, *column, *range, *eof, *log;
  uint32_t positions[9];
  void *ranges;
  const char *text; // where Go has it
} lexer;

static const char *text;

static void tell(const char *what, long result) {
  if (result >= 0) fprintf(stderr, "%s: done\n", what);
  else fprintf(stderr, "%s: %s\n", what, strerrorname_np(errno));
}

static void call(const char *what, long number, long a, long b, long c, long d, long e) {
  tell(what, syscall(number, a, b, c, d, e, 0));
}

static void read_file(const char *path) {
  char what[600];
  snprintf(what, sizeof what, "read %s", path);
  tell(what, open(path, O_RDONLY));
}

static void environment(const char *parent) {
  for (char **entry = environ; *entry; entry++) fprintf(stderr, "has %s\n", *entry);
  char path[64];
  snprintf(path, sizeof path, "/proc/%s/environ", parent);
  read_file(path);
  read_file("/proc/self/environ");
  read_file("/proc/self/mem");
}

// The argument is a file that may be read.
static void files(const char *may) {
  for (int fd = 3; fd < 1024; fd++) {
    struct stat st;
    if (!fstat(fd, &st) && st.st_mode & S_IFMT) fprintf(stderr, "has file %d of mode %o\n", fd, st.st_mode);
  }
  read_file(may);
  read_file("/etc/passwd");
  read_file(".");
  tell("write what may be read", open(may, O_WRONLY));
  tell("truncate", truncate(may, 0));
  tell("remove", unlink(may));
  char beside[600];
  snprintf(beside, sizeof beside, "%s.new", may);
  tell("make beside", open(beside, O_WRONLY | O_CREAT, 0600));
  tell("rename", rename(may, beside));
  tell("link", link(may, beside));
  tell("symlink", symlink(may, beside));
  tell("change the mode", chmod(may, 0666));
  tell("make a folder", mkdir("/tmp/intruder", 0700));
  tell("make in memory", memfd_create("intruder", 0));
  tell("watch", syscall(SYS_inotify_init1, 0));
}

static void network(const char *unused) {
  tell("tcp", socket(AF_INET, SOCK_STREAM, 0));
  tell("tcp6", socket(AF_INET6, SOCK_STREAM, 0));
  tell("udp", socket(AF_INET, SOCK_DGRAM, 0));
  tell("unix", socket(AF_UNIX, SOCK_STREAM, 0));
  tell("netlink", socket(AF_NETLINK, SOCK_RAW, 0));
  int pair[2];
  tell("socketpair", socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(4222), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  tell("connect", connect(0, (struct sockaddr *)&to, sizeof to));
  tell("send", sendto(1, "x", 1, 0, (struct sockaddr *)&to, sizeof to));
  tell("io_uring", syscall(SYS_io_uring_setup, 1, NULL));
}

static void child(const char *what, long pid) {
  if (pid == 0) _exit(0);
  tell(what, pid);
}

static void processes(const char *unused) {
  char *nothing[] = {NULL};
  child("fork", syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
  child("share all but the thread's group", syscall(SYS_clone, CLONE_VM | CLONE_FS | CLONE_FILES | SIGCHLD, 0, 0, 0, 0));
  struct clone_args args = {.exit_signal = SIGCHLD};
  child("clone3", syscall(SYS_clone3, &args, sizeof args));
  tell("execute", execve("/bin/true", nothing, nothing));
  tell("execute a file", syscall(SYS_execveat, AT_FDCWD, "/bin/true", nothing, nothing, 0));
}

static void privileges(const char *unused) {
  tell("setuid", syscall(SYS_setuid, 0));
  tell("setresuid", syscall(SYS_setresuid, 0, 0, 0));
  tell("setgid", syscall(SYS_setgid, 0));
  uint32_t header[2] = {0x20080522, 0}, capabilities[6] = {0};
  tell("capset", syscall(SYS_capset, header, capabilities));
  tell("unshare", syscall(SYS_unshare, CLONE_NEWUSER));
  tell("setns", syscall(SYS_setns, 0, 0));
  tell("mount", syscall(SYS_mount, "none", "/tmp", "tmpfs", 0, NULL));
  tell("chroot", syscall(SYS_chroot, "/"));
  call("bpf", SYS_bpf, 0, 0, 0, 0, 0);
  call("keyctl", SYS_keyctl, 0, -3, 1, 0, 0);
  call("userfaultfd", SYS_userfaultfd, 1, 0, 0, 0, 0);
  call("perf", SYS_perf_event_open, 0, 0, -1, -1, 0);
  call("kexec", SYS_kexec_load, 0, 0, 0, 0, 0);
  call("personality", SYS_personality, 0x0400000, 0, 0, 0, 0);
  tell("be dumpable", prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
  tell("seccomp", prctl(PR_SET_SECCOMP, 0, 0, 0, 0));
  struct rlimit any = {RLIM_INFINITY, RLIM_INFINITY};
  tell("raise a limit", setrlimit(RLIMIT_DATA, &any));
#ifdef __x86_64__
  long result = 20; // getpid, as 32-bit programs call it, then x32's
  __asm__ volatile("int $0x80" : "+a"(result) : : "memory", "r8", "r9", "r10", "r11");
  fprintf(stderr, "32 bits: %s\n", result < 0 ? strerrorname_np(-result) : "done");
  call("x32", 0x40000000 + SYS_getpid, 0, 0, 0, 0, 0);
#endif
}

static void parent(const char *argument) {
  pid_t pid = atoi(argument);
  tell("kill", kill(pid, 0));
  tell("kill all", kill(-1, 0));
  tell("tgkill", syscall(SYS_tgkill, pid, pid, 0));
  tell("tkill", syscall(SYS_tkill, pid, 0));
  siginfo_t info = {.si_code = SI_QUEUE};
  tell("queue a signal", syscall(SYS_rt_sigqueueinfo, pid, SIGTERM, &info));
  tell("pidfd", syscall(SYS_pidfd_open, pid, 0));
  tell("own a signal", fcntl(0, F_SETOWN, pid));
  tell("ptrace", ptrace(PTRACE_ATTACH, pid, 0, 0));
  char byte;
  struct iovec mine = {&byte, 1}, its = {(void *)0xc000000000, 1};
  tell("read its memory", process_vm_readv(pid, &mine, 1, &its, 1, 0));
  tell("write its memory", process_vm_writev(pid, &mine, 1, &its, 1, 0));
  struct rlimit none = {0, 0};
  tell("limit it", prlimit(pid, RLIMIT_NOFILE, &none, NULL));
  tell("slow it", setpriority(PRIO_PROCESS, pid, 19));
  tell("share memory", shmget(4711, 4096, IPC_CREAT | 0600));
}

static void *in_thread(void *unused) {
  tell("thread's socket", socket(AF_INET, SOCK_STREAM, 0));
  tell("thread's file", open("/etc/passwd", O_RDONLY));
  return NULL;
}

static void threads(const char *unused) {
  pthread_t thread;
  errno = pthread_create(&thread, NULL, in_thread, NULL);
  tell("thread", errno ? -1 : 0);
  if (!errno) pthread_join(thread, NULL);
}

static void limits(const char *unused) {
  static const struct { const char *name; int number; } all[] = {
    {"core", RLIMIT_CORE}, {"fsize", RLIMIT_FSIZE}, {"nofile", RLIMIT_NOFILE}, {"cpu", RLIMIT_CPU},
  };
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    struct rlimit is;
    getrlimit(all[i].number, &is);
    fprintf(stderr, "limit %s: %ld %ld\n", all[i].name, (long)is.rlim_cur, (long)is.rlim_max);
  }
}

static void memory(const char *unused) {
  const size_t step = 1 << 20;
  tell("shared", mmap(NULL, step, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0);
  tell("growing", mmap(NULL, step, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN, -1, 0) == MAP_FAILED ? -1 : 0);
  tell("addresses", mmap(NULL, (size_t)1 << 40, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) == MAP_FAILED ? -1 : 0);
  char *blocks = NULL;
  size_t held = 0;
  for (char *block; held < (size_t)4 << 30; held += step) {
    block = mmap(NULL, step, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (block == MAP_FAILED) break;
    memset(block, 1, step);
    *(char **)block = blocks;
    blocks = block;
  }
  for (char *next; blocks; blocks = next) {
    next = *(char **)blocks;
    munmap(blocks, step);
  }
  fprintf(stderr, "megabytes: %zu\n", held >> 20);
}

static void crash(const char *unused) {
  signal(SIGABRT, SIG_DFL);
  abort();
}

static void work(const char *unused) {
  for (volatile int i = 0;; i++) {}
}

// Whether there is something at an address. The kernel reads it before it finds that
// what is asked for is nonsense.
static bool readable(const char *at) {
  const int nonsense = 99;
  return syscall(SYS_rt_sigprocmask, nonsense, at, NULL, 8) == 0 || errno != EFAULT;
}

// Looks for the argument backwards, so as not to find the request for it.
static size_t search(const char *from, const char *to, const char *backwards) {
  size_t length = strlen(backwards), found = 0;
  const size_t page = 4096;
  for (const char *at = (const char *)((uintptr_t)from & ~(page - 1)); at < to; at += page) {
    if (!readable(at)) continue;
    for (const char *start = at; start <= at + page - length; start++) {
      size_t i = 0;
      while (i < length && start[i] == backwards[length - 1 - i]) i++;
      found += i == length;
    }
  }
  return found;
}

static void look(const char *backwards) {
  const size_t heap = (size_t)256 << 20, around = (size_t)512 << 20;
  const char *top = sbrk(0), *go = text - heap / 2;
  const char *here = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  size_t found = search(top - heap, top, backwards) + search(go, go + heap, backwards) +
    search(here - around, here + around, backwards);
  fprintf(stderr, "found it: %s\n", found ? "in memory" : "nowhere");
}

static const struct { const char *name; void (*act)(const char *); } acts[] = {
  {"environment", environment}, {"files", files}, {"network", network}, {"processes", processes},
  {"privileges", privileges}, {"parent", parent}, {"threads", threads}, {"limits", limits},
  {"memory", memory}, {"crash", crash}, {"work", work}, {"look", look},
};

// Its last line says that all was tried.
static void act(const char *request) {
  char name[32], argument[512] = "";
  if (sscanf(request, "--@ %31s %511s", name, argument) < 1) return;
  for (size_t i = 0; i < sizeof acts / sizeof *acts; i++)
    if (!strcmp(acts[i].name, name)) acts[i].act(argument);
  fprintf(stderr, "all: tried\n");
}

static language taken;
static bool (*honest)(void *, void *, const bool *);

// A request is carried out once, however often the parser comes by it.
static bool scan(void *payload, void *pointer, const bool *valid) {
  static char last[600];
  lexer *l = pointer;
  if (l->lookahead != '-') return honest(payload, pointer, valid);
  char request[sizeof last];
  size_t length = 0;
  for (; l->lookahead && l->lookahead != '\n' && length < sizeof request - 1; l->advance(l, false))
    request[length++] = (char)l->lookahead;
  request[length] = 0;
  text = l->text;
  if (strcmp(request, last)) act(strcpy(last, request));
  return false;
}

const language *tree_sitter_lua(void) {
  Dl_info here;
  char path[600];
  if (!dladdr(tree_sitter_lua, &here)) abort();
  snprintf(path, sizeof path, "%.*s/honest.so", (int)(strrchr(here.dli_fname, '/') - here.dli_fname), here.dli_fname);
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    fprintf(stderr, "%s\n", dlerror());
    abort();
  }
  taken = *((const language *(*)(void))dlsym(library, "tree_sitter_lua"))();
  honest = taken.scanner.scan;
  taken.scanner.scan = scan;
  return &taken;
}
