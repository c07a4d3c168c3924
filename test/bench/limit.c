/*
 * The machine's limit: the same work with nothing but positional I/O and threads.
 *
 *   limit save RAM IMAGE THREADS GAP overlap|end   RAM, mapped, to page regions at 1 MiB of a new file, durable
 *   limit restore IMAGE BITMAP PAGES SIZE THREADS 4k|huge           into fresh private memory
 *   limit restore IMAGE BITMAP PAGES SIZE THREADS file TARGET       into a new file
 *   limit warm BYTES                               takes memory from the host and gives it back to the kernel
 *   limit fragment FILE BYTES                      the same, in pieces that the kernel keeps as long as FILE is there
 *
 * save and restore print "ready", wait for a line on standard input, work, and print a line of JSON with milliseconds.
 * A line that is not empty names a file that holds what restore should have restored: "equal" says whether it did.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { PAGE = 4096, BATCH = 1 << 20, BATCH_PAGES = BATCH / PAGE };
static const size_t SYNC_AFTER = 64u << 20;
static const size_t HUGE_PAGE = 2u << 20;
/* A kernel reports free memory to its host in pieces of 2 MiB or more; what lies between pages in use is smaller. */
static const size_t FRAGMENT = 128u << 10;

static void fail(const char *what) {
  fprintf(stderr, "limit: %s: %s\n", what, strerror(errno));
  exit(1);
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static size_t size_of(int fd) {
  struct stat s;
  if (fstat(fd, &s) != 0) fail("fstat");
  return s.st_size;
}

static int open_or_fail(const char *path, int flags) {
  int fd = open(path, flags, 0600);
  if (fd < 0) fail(path);
  return fd;
}

static void write_all(int fd, const uint8_t *data, size_t length, off_t position) {
  while (length > 0) {
    ssize_t n = pwrite(fd, data, length, position);
    if (n < 0) fail("pwrite");
    data += n, position += n, length -= n;
  }
}

static void read_all(int fd, uint8_t *data, size_t length, off_t position) {
  while (length > 0) {
    ssize_t n = pread(fd, data, length, position);
    if (n <= 0) fail("pread");
    data += n, position += n, length -= n;
  }
}

/* Work that all threads share: batch after batch, taken from one counter. */
struct job {
  void (*batch)(struct job *, uint8_t *buffer, size_t offset, size_t length);
  atomic_size_t next;
  size_t size;
  uint8_t *ram;        /* the pages in memory, where they are there */
  const char *image;   /* opened by every thread for itself */
  int target;          /* the file that is restored into, or -1 */
  off_t pages;         /* file offset of page 0 */
  uint8_t *bitmap;     /* the pages present in the file */
  size_t gap;          /* zero pages that are written along rather than skipped */
  atomic_size_t written;
  atomic_bool done;
};

static __thread int image_fd;

static void *work(void *arg) {
  struct job *job = arg;
  uint8_t *buffer = aligned_alloc(PAGE, BATCH);
  image_fd = open_or_fail(job->image, job->bitmap == NULL ? O_WRONLY : O_RDONLY);
  for (size_t at; (at = atomic_fetch_add(&job->next, BATCH)) < job->size;)
    job->batch(job, buffer, at, job->size - at < BATCH ? job->size - at : BATCH);
  close(image_fd);
  free(buffer);
  return NULL;
}

static void run_threads(struct job *job, int threads) {
  pthread_t id[threads];
  for (int i = 0; i < threads; i++) pthread_create(&id[i], NULL, work, job);
  for (int i = 0; i < threads; i++) pthread_join(id[i], NULL);
}

static bool is_zero(const uint8_t *page) {
  static const uint8_t zeros[PAGE];
  return *(const uint64_t *)page == 0 && memcmp(page, zeros, PAGE) == 0;
}

static void save_batch(struct job *job, uint8_t *buffer, size_t offset, size_t length) {
  (void)buffer;
  size_t count = length / PAGE, first = count, end = 0;
  for (size_t i = 0; i <= count; i++) {
    bool normal = i < count && !is_zero(job->ram + offset + i * PAGE);
    if (first < count && (i == count || (normal && i - end > job->gap))) {
      size_t bytes = (end - first) * PAGE, start = offset + first * PAGE;
      write_all(image_fd, job->ram + start, bytes, job->pages + start);
      atomic_fetch_add(&job->written, bytes);
      first = count;
    }
    if (!normal) continue;
    if (first == count) first = i;
    end = i + 1;
  }
}

static bool is_present(const struct job *job, size_t page) { return job->bitmap[page >> 3] >> (page & 7) & 1; }

static void restore_batch(struct job *job, uint8_t *buffer, size_t offset, size_t length) {
  size_t end = (offset + length) / PAGE;
  for (size_t i = offset / PAGE; i < end; i++) {
    size_t first = i;
    while (i < end && is_present(job, i)) i++;
    if (i == first) continue;
    size_t at = first * PAGE, bytes = (i - first) * PAGE;
    uint8_t *data = job->target < 0 ? job->ram + at : buffer;
    read_all(image_fd, data, bytes, job->pages + at);
    if (job->target >= 0) write_all(job->target, data, bytes, at);
  }
}

/* Makes what was written durable while more is being written: after every SYNC_AFTER bytes. */
static void *sync_ahead(void *arg) {
  struct job *job = arg;
  int fd = open_or_fail(job->image, O_WRONLY);
  size_t synced = 0;
  while (!atomic_load(&job->done)) {
    size_t written = atomic_load(&job->written);
    if (written - synced < SYNC_AFTER) {
      nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
      continue;
    }
    synced = written;
    if (fdatasync(fd) != 0) fail("fdatasync");
  }
  close(fd);
  return NULL;
}

/* Says that everything is prepared, and waits for a line: empty, or the path of the file to compare with. */
static char *wait_for_go(void) {
  static char line[4096];
  puts("ready");
  fflush(stdout);
  if (fgets(line, sizeof line, stdin) == NULL) exit(1);
  line[strcspn(line, "\n")] = 0;
  return line;
}

static void save(char **arg) {
  int ram = open_or_fail(arg[0], O_RDONLY);
  int threads = atoi(arg[2]);
  bool overlap = strcmp(arg[4], "overlap") == 0;
  struct job job = {.batch = save_batch, .size = size_of(ram), .image = arg[1], .target = -1, .pages = BATCH};
  job.gap = atoi(arg[3]);
  job.ram = mmap(NULL, job.size, PROT_READ, MAP_SHARED | MAP_POPULATE, ram, 0);
  if (job.ram == MAP_FAILED) fail("mmap");
  wait_for_go();

  double begin = now();
  int fd = open_or_fail(job.image, O_WRONLY | O_CREAT | O_TRUNC);
  if (ftruncate(fd, job.pages + job.size) != 0) fail("ftruncate");
  pthread_t syncer;
  if (overlap) pthread_create(&syncer, NULL, sync_ahead, &job);
  run_threads(&job, threads);
  double written = now();
  atomic_store(&job.done, true);
  if (overlap) pthread_join(syncer, NULL);
  if (fdatasync(fd) != 0) fail("fdatasync");
  close(fd);
  double end = now();
  printf("{\"total\":%.3f,\"phases\":{\"ram\":%.3f,\"sync\":%.3f}}\n", end - begin, written - begin, end - written);
}

static uint8_t *fresh_memory(size_t size, int advice) {
  uint8_t *memory = mmap(NULL, size + HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) fail("mmap");
  memory += HUGE_PAGE - (uintptr_t)memory % HUGE_PAGE;
  if (madvise(memory, size, advice) != 0) fail("madvise");
  return memory;
}

static bool is_equal(const struct job *job, const char *path) {
  int fd = open_or_fail(path, O_RDONLY);
  uint8_t *expected = mmap(NULL, job->size, PROT_READ, MAP_SHARED, fd, 0);
  uint8_t *found = job->target < 0 ? job->ram : mmap(NULL, job->size, PROT_READ, MAP_SHARED, job->target, 0);
  return memcmp(expected, found, job->size) == 0;
}

static void restore(char **arg) {
  struct job job = {.batch = restore_batch, .image = arg[0], .target = -1};
  off_t bitmap = atoll(arg[1]);
  int threads = atoi(arg[4]);
  job.pages = atoll(arg[2]), job.size = atoll(arg[3]);
  job.bitmap = malloc(job.size / PAGE / 8 + 8);
  const char *expected = wait_for_go();

  double begin = now();
  int image = open_or_fail(job.image, O_RDONLY);
  read_all(image, job.bitmap, job.size / PAGE / 8, bitmap);
  if (strcmp(arg[5], "file") == 0) {
    job.target = open_or_fail(arg[6], O_RDWR | O_CREAT | O_EXCL);
    if (ftruncate(job.target, job.size) != 0) fail("ftruncate");
  } else {
    job.ram = fresh_memory(job.size, strcmp(arg[5], "huge") == 0 ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
  }
  run_threads(&job, threads);
  double total = now() - begin;
  const char *equal = *expected == 0 || is_equal(&job, expected) ? "true" : "false";
  printf("{\"total\":%.3f,\"phases\":{\"ram\":%.3f},\"equal\":%s}\n", total, total, equal);
}

static void warm(size_t size) {
  uint8_t *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) fail("mmap");
  madvise(memory, size, MADV_HUGEPAGE);
  for (size_t i = 0; i < size; i += PAGE) memory[i] = 1;
}

/* FILE, on a tmpfs, takes twice as many bytes, and gives every second fragment back. */
static void fragment(const char *path, size_t size) {
  int file = open_or_fail(path, O_RDWR | O_CREAT | O_EXCL);
  if (fallocate(file, 0, 0, 2 * size) != 0) fail("fallocate");
  for (size_t at = 0; at < 2 * size; at += 2 * FRAGMENT)
    if (fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, FRAGMENT) != 0) fail("fallocate");
}

int main(int argc, char **argv) {
  if (argc == 7 && strcmp(argv[1], "save") == 0) save(argv + 2);
  else if ((argc == 8 || argc == 9) && strcmp(argv[1], "restore") == 0) restore(argv + 2);
  else if (argc == 3 && strcmp(argv[1], "warm") == 0) warm(atoll(argv[2]));
  else if (argc == 4 && strcmp(argv[1], "fragment") == 0) fragment(argv[2], atoll(argv[3]));
  else return fputs("limit: see the head of limit.c\n", stderr), 2;
  return 0;
}
