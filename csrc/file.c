/* SPDX-License-Identifier: MIT
**
** file.c - the data file before LMDB sees it: its owner lock, its checks, its making.
**
** The owner lock is a flock on the data file's own inode, so that it holds through any name;
** LMDB takes no flock. It is never taken on the lock file of LMDB: closing any descriptor of that
** one would drop LMDB's own locks.
**
** The checks read the two meta pages with pread. LMDB 0.9 would map a truncated file without a
** word and die by SIGBUS at the first page past its end.
*/
#include "bucket.h"
#include "pages.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <time.h>
#include <unistd.h>

/* The head of a meta page as LMDB 0.9 writes it on a 64-bit machine, data version 1. */
typedef struct meta_tree {
  uint32_t pad;
  uint16_t flags, depth;
  uint64_t branch_pages, leaf_pages, overflow_pages, entries, root;
} meta_tree;

typedef struct meta_page {
  uint64_t page_number;
  uint16_t pad, page_flags;
  uint32_t bounds;
  uint32_t magic, version;
  uint64_t address, map_size;
  meta_tree trees[2]; /* the free list and the main database */
  uint64_t last_page, tx_id;
} meta_page;

#define META_MAGIC 0xBEEFC0DEu
#define META_VERSION 1
#define META_FLAG 0x08
#define NO_PAGE UINT64_MAX
#define WHY_SIZE 256
#define FIRST_TX_ID 1 /* of the commit that makes a file */
#define PAGE_HEADER_SIZE 16
#define TREE_INTEGER_KEYS 0x08  /* as the free list has, and no tree that we can read */
#define TREE_FLAGS_FOREIGN 0x7e /* reverse keys, duplicates and their kinds */

static bool is_remote(int fd) {
  struct statfs fs;
  if (fstatfs(fd, &fs) != 0) return false;
  switch ((unsigned long)fs.f_type) {
  case 0x6969:     /* NFS */
  case 0xFF534D42: /* CIFS */
  case 0xFE534D42: /* SMB2 */
  case 0x517B:     /* SMB */
  case 0x01021997: /* 9p */
  case 0x65735546: /* FUSE */ return true;
  default: return false;
  }
}

/* When we close a file of our own: it then reaches to its last page (see check_whole). */
void jg_file_fill_up(jg_db *db) {
  MDB_envinfo info;
  struct stat st;
  if (db->read_only || db->shared || mdb_env_info(db->env, &info) != 0) return;
  off_t size = (off_t)((info.me_last_pgno + 1) * db->page_size);
  if (fstat(db->lock_fd, &st) != 0 || st.st_size >= size) return;
  if (ftruncate(db->lock_fd, size) != 0) return; /* the next open walks the file instead */
}

/* Is there no room to grow by a few pages: on the filesystem, or by the process's own limit? */
bool jg_file_is_full(const jg_db *db) {
  struct statfs fs;
  struct stat st;
  struct rlimit limit;
  const uint64_t few = 64 * (uint64_t)db->page_size;
  if (fstatfs(db->lock_fd, &fs) == 0 && (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize < few)
    return true;
  return getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
         fstat(db->lock_fd, &st) == 0 && (uint64_t)st.st_size + few > limit.rlim_cur;
}

static void sleep_ms(int ms) {
  struct timespec t = {ms / 1000, (ms % 1000) * 1000000L};
  nanosleep(&t, NULL);
}

static int64_t now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Is the path, which led nowhere, a link? Another process may have made the file since: no link. */
static bool is_dangling(const char *path) {
  struct stat st;
  return lstat(path, &st) == 0 && S_ISLNK(st.st_mode);
}

/* Opens the file and takes the owner lock. Returns the descriptor that holds it, or -1; a file
** that does not exist is no failure yet, `missing` says so. */
int jg_file_lock(const char *path, const jg_open_options *o, bool *missing, jg_failure *f) {
  *missing = false;
  struct stat st;
  int fd = open(path, (o->read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) {
    int rc = errno;
    bool is_link = rc == ENOENT && is_dangling(path);
    *missing = rc == ENOENT && !is_link;
    jg_fail(f, jg_code_of(rc), "%s: %s%s", path, is_link ? "a symbolic link: " : "", strerror(rc));
    return -1;
  }
  if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
    jg_fail(f, "invalid_file", "%s: not a regular file", path);
    close(fd);
    return -1;
  }
  int kind = o->read_only || o->shared ? LOCK_SH : LOCK_EX;
  int64_t deadline = now_ms() + o->lock_timeout_ms;
  for (int pause_ms = 1; flock(fd, kind | LOCK_NB) != 0;
       pause_ms = pause_ms < 16 ? 2 * pause_ms : 16) {
    int rc = errno;
    if (rc != EWOULDBLOCK && rc != EINTR) {
      jg_fail(f, jg_code_of(rc), "%s: flock: %s", path, strerror(rc));
      close(fd);
      return -1;
    }
    if (now_ms() >= deadline) {
      jg_fail(f, "in_use", "%s: in use by another process (waited %d ms)", path,
              o->lock_timeout_ms);
      close(fd);
      return -1;
    }
    sleep_ms(pause_ms);
  }
  return fd;
}

/* A file that is moved away while it is open leaves its lock file behind, and a new file of the old
** name would share it: LMDB then takes the one's transaction ids for the other's and writes over
** the wrong meta page. Who owns the data file is alone with the lock file, too, or it is that. */
bool jg_file_check_lock_file(const jg_db *db, const jg_open_options *o, jg_failure *f) {
  char path[PATH_MAX];
  struct stat st;
  int n = snprintf(path, sizeof path, "%s-lock", db->path);
  if (n < 0 || n >= (int)sizeof path) return true;
  int rc = stat(path, &st) == 0 ? 0 : errno;
  if (rc != 0) return !is_dangling(path) || jg_fail_rc(f, rc, path);
  if (!S_ISREG(st.st_mode)) return jg_fail(f, "invalid_file", "%s: not a regular file", path);
  if (jg_uses_lock_file(st.st_dev, st.st_ino))
    return jg_fail(f, "already_open",
                   "%s: this process uses it for a file that was moved away while it was open",
                   path);
  if (o->read_only || o->shared) return true;
  int fd = open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0) return true; /* LMDB will say why */
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  bool is_free = fcntl(fd, F_GETLK, &lock) != 0 || lock.l_type == F_UNLCK;
  close(fd);
  return is_free ||
         jg_fail(f, "in_use",
                 "%s: another process uses it for a file that was moved away while it was open",
                 path);
}

void jg_file_note_lock_file(jg_db *db) {
  char path[PATH_MAX];
  struct stat st;
  int n = snprintf(path, sizeof path, "%s-lock", db->path);
  if (n < 0 || n >= (int)sizeof path || stat(path, &st) != 0) return;
  db->lock_dev = st.st_dev;
  db->lock_ino = st.st_ino;
}

/* LMDB's own lock of the writer cannot time out, so processes that share a file first take turns
** on a byte far past any page: a lock of the open file, which no close of another descriptor drops
** and no thread of this process shares. */
static struct flock writer_byte(short type) {
  return (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = INT64_MAX - 1, .l_len = 1};
}

bool jg_file_lock_writer(jg_db *db, jg_failure *f) {
  if (!db->shared) return true;
  int64_t deadline = now_ms() + db->lock_timeout_ms;
  struct flock lock = writer_byte(F_WRLCK);
  for (int pause_ms = 1; fcntl(db->lock_fd, F_OFD_SETLK, &lock) != 0;
       pause_ms = pause_ms < 16 ? 2 * pause_ms : 16) {
    int rc = errno;
    if (rc != EAGAIN && rc != EACCES && rc != EINTR)
      return jg_fail(f, jg_code_of(rc), "%s: fcntl: %s", db->path, strerror(rc));
    if (now_ms() >= deadline)
      return jg_fail(f, "in_use", "%s: another process is writing (waited %d ms)", db->path,
                     db->lock_timeout_ms);
    sleep_ms(pause_ms);
  }
  db->writer_locked = true;
  return true;
}

void jg_file_unlock_writer(jg_db *db) {
  struct flock lock = writer_byte(F_UNLCK);
  if (db->writer_locked) fcntl(db->lock_fd, F_OFD_SETLK, &lock);
  db->writer_locked = false;
}

/* What cannot be read is a failure of its own, and not damage: it is the one that stands. */
static bool read_at(int fd, void *into, size_t size, uint64_t at, const char *path, jg_failure *f) {
  ssize_t n = pread(fd, into, size, (off_t)at);
  if (n < 0) jg_fail_rc(f, errno, path);
  return n == (ssize_t)size;
}

static bool read_meta(int fd, uint64_t at, meta_page *meta, const char *path, jg_failure *f) {
  return read_at(fd, meta, sizeof *meta, at, path, f) && meta->magic == META_MAGIC &&
         (meta->page_flags & META_FLAG) != 0;
}

/* Walks all pages (check.c). LMDB does not write pages that one transaction took past the end of
** the file and freed again, so a file may lawfully end before its last page; this tells. */
static bool check_whole(int fd, const char *path, char why[WHY_SIZE], jg_failure *f) {
  jg_source source;
  const jg_finding *findings;
  jg_check *c = NULL;
  int rc = jg_source_file(&source, fd);
  if (rc == 0) c = jg_check_new(&source, &(jg_check_settings){.findings_max = 1});
  if (rc == 0) rc = c != NULL ? jg_check_run(c) : ENOMEM;
  bool found = rc == 0 && jg_check_findings(c, &findings) > 0;
  if (found) snprintf(why, WHY_SIZE, "%s", findings[0].message);
  jg_check_free(c);
  if (rc != 0) jg_fail_rc(f, rc, path);
  return rc == 0 && !found;
}

/* A root page that is none would kill LMDB at the first step: what its header says must hold. */
static bool check_root(int fd, const meta_page *meta, uint64_t page_size, const meta_tree *tree,
                       const char *path, jg_failure *f) {
  struct {
    uint64_t number;
    uint16_t pad, flags, lower, upper;
  } header;
  if (tree->root == NO_PAGE) return true;
  if (tree->root < 2 || tree->root > meta->last_page ||
      !read_at(fd, &header, sizeof header, tree->root * page_size, path, f))
    return jg_fail(f, "invalid_file", "%s: its meta page names a root page out of range", path);
  bool is_node_page = header.flags == 1 || header.flags == 2; /* a branch or a leaf */
  if (header.number != tree->root || !is_node_page || header.lower < PAGE_HEADER_SIZE ||
      header.lower > header.upper || header.upper > page_size ||
      (header.flags == 2) != (tree->depth == 1) ||
      (tree->depth == 1 && tree->entries != (header.lower - PAGE_HEADER_SIZE) / 2u))
    return jg_fail(f, "invalid_file", "%s: page %llu is not the root page that its meta page says",
                   path, (unsigned long long)tree->root);
  return true;
}

/* Whatever LMDB would believe without a look. */
static bool check_meta(int fd, const meta_page *meta, uint64_t page_size, uint64_t file_size,
                       const char *path, jg_failure *f) {
  if (meta->version != META_VERSION)
    return jg_fail(f, "version_mismatch", "%s: LMDB data version %u, not %d", path,
                   (unsigned)meta->version, META_VERSION);
  if (meta->trees[0].pad != page_size)
    return jg_fail(f, "invalid_file", "%s: its meta pages differ in the page size", path);
  if (meta->last_page > UINT64_MAX / page_size - 1)
    return jg_fail(f, "invalid_file", "%s: its meta page names an impossible last page", path);
  char why[WHY_SIZE];
  if ((meta->last_page + 1) * page_size > file_size && !check_whole(fd, path, why, f))
    return jg_fail(f, "truncated", "%s: %llu bytes where its meta page says %llu", path,
                   (unsigned long long)file_size,
                   (unsigned long long)((meta->last_page + 1) * page_size));
  if ((meta->trees[0].flags & TREE_FLAGS_FOREIGN) != TREE_INTEGER_KEYS)
    return jg_fail(f, "invalid_file", "%s: its free list is of an unknown kind", path);
  if ((meta->trees[1].flags & (TREE_FLAGS_FOREIGN | TREE_INTEGER_KEYS)) != 0)
    return jg_fail(f, "incompatible", "%s: the flags of its main database are not supported", path);
  return check_root(fd, meta, page_size, &meta->trees[0], path, f) &&
         check_root(fd, meta, page_size, &meta->trees[1], path, f);
}

/* So that the name of a file is on the disk, too. */
bool jg_file_sync_directory(const char *path, jg_failure *f) {
  char directory[PATH_MAX];
  snprintf(directory, sizeof directory, "%s", path);
  char *slash = strrchr(directory, '/');
  if (slash == NULL)
    strcpy(directory, ".");
  else
    slash[slash == directory ? 1 : 0] = '\0';
  int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return jg_fail_rc(f, errno, directory);
  int rc = fsync(fd) == 0 || errno == EINVAL ? 0 : errno; /* EINVAL: it has nothing to flush */
  close(fd);
  return rc == 0 || jg_fail_rc(f, rc, directory);
}

/* What is built on the newest meta page must not be on the disk before it. But it may be in memory
** only: its writer died before its flush, or the flush failed, and then the system may take the
** page for clean (Rebello et al., Can Applications Recover from fsync Failures?, USENIX ATC 2020).
** So it is written once more. Not where another process may write a newer one meanwhile. */
static bool secure_meta(int fd, const meta_page *meta, bool is_second, const char *path,
                        const jg_open_options *o, jg_failure *f) {
  if (o->durability == JG_NONE) return true;
  off_t at = is_second ? (off_t)meta->trees[0].pad : 0;
  ssize_t n = o->shared ? (ssize_t)sizeof *meta : pwrite(fd, meta, sizeof *meta, at);
  if (n == (ssize_t)sizeof *meta && fdatasync(fd) == 0) return true;
  return jg_fail_rc(f, n < 0 || n == (ssize_t)sizeof *meta ? errno : ENOSPC, path);
}

bool jg_file_check(int fd, const char *path, const jg_open_options *o, jg_failure *f) {
  struct stat st;
  if (fstat(fd, &st) != 0) return jg_fail_rc(f, errno, path);
  if (!o->allow_remote && is_remote(fd))
    return jg_fail(f, "remote_filesystem",
                   "%s: on a network or FUSE filesystem (allow_remote opens it all the same)",
                   path);
  meta_page metas[2];
  uint64_t file_size = (uint64_t)st.st_size;
  if (!read_meta(fd, 0, &metas[0], path, f))
    return jg_fail(f, "invalid_file", "%s: not an LMDB file", path);
  uint64_t page_size = metas[0].trees[0].pad; /* LMDB keeps the page size there */
  if (page_size != (uint64_t)sysconf(_SC_PAGESIZE))
    return jg_fail(f, "invalid_file", "%s: its page size is %llu, this machine's is %ld", path,
                   (unsigned long long)page_size, sysconf(_SC_PAGESIZE));
  if (file_size < 2 * page_size || !read_meta(fd, page_size, &metas[1], path, f))
    return jg_fail(f, "truncated", "%s: it ends within its meta pages", path);
  char why[WHY_SIZE];
  if (o->verify && !check_whole(fd, path, why, f))
    return jg_fail(f, "corrupted", "%s: %s", path, why);
  /* The newer one counts; the older one may name pages that a crash kept from the file. */
  bool is_second = metas[1].tx_id > metas[0].tx_id;
  const meta_page *meta = &metas[is_second];
  if (!check_meta(fd, meta, page_size, file_size, path, f)) return false;
  if (o->read_only) return true;
  if (!secure_meta(fd, meta, is_second, path, o, f)) return false;
  return meta->tx_id > FIRST_TX_ID || jg_file_sync_directory(path, f);
}

/* ---- making a file --------------------------------------------------------------------- */

/* One real commit, flushed: LMDB alone writes the first meta pages without a flush. */
static int write_first_commit(const char *path, int mode) {
  MDB_env *env;
  MDB_txn *txn = NULL;
  MDB_dbi dbi;
  unsigned char format_key[] = "\xff\xff\xff\xff\xff\xff\xff\xff"
                               "format";
  MDB_val key = {sizeof format_key - 1, format_key}, value = {1, "1"};
  int rc = mdb_env_create(&env);
  if (rc != 0) return rc;
  if ((rc = mdb_env_set_maxdbs(env, 1)) == 0 &&
      (rc = mdb_env_open(env, path, MDB_NOSUBDIR | MDB_NOLOCK, (mdb_mode_t)mode)) == 0 &&
      (rc = mdb_txn_begin(env, NULL, 0, &txn)) == 0) {
    if ((rc = mdb_dbi_open(txn, JG_ROOT_TREE, MDB_CREATE, &dbi)) == 0 &&
        (rc = mdb_put(txn, dbi, &key, &value, 0)) == 0)
      rc = mdb_txn_commit(txn);
    else
      mdb_txn_abort(txn);
  }
  mdb_env_close(env);
  return rc;
}

/* Made under a temporary name, committed once, linked into place: whatever happens, the name
** leads to a whole file or to none. If another process was faster, its file is the one. The
** directory is flushed by jg_file_check, before the first commit of a user: whoever linked the file
** may have died before he could. */
bool jg_file_create(const char *path, const jg_open_options *o, jg_failure *f) {
  char temporary[PATH_MAX];
  int n = snprintf(temporary, sizeof temporary, "%s.new-XXXXXX", path);
  if (n < 0 || n >= (int)sizeof temporary)
    return jg_fail(f, "not_found", "%.200s...: the path is too long", path);
  int fd = mkostemp(temporary, O_CLOEXEC);
  if (fd < 0) return jg_fail(f, jg_code_of(errno), "%s: %s", path, strerror(errno));
  int rc = fchmod(fd, (mode_t)o->mode) == 0 ? 0 : errno;
  if (!o->allow_remote && is_remote(fd))
    jg_fail(f, "remote_filesystem",
            "%s: on a network or FUSE filesystem (allow_remote makes it all the same)", path);
  else if (rc != 0 || (rc = write_first_commit(temporary, o->mode)) != 0)
    jg_fail(f, jg_code_of(rc), "%s: %s", path, mdb_strerror(rc));
  else if (link(temporary, path) != 0 && errno != EEXIST)
    jg_fail(f, jg_code_of(errno), "%s: %s", path, strerror(errno));
  close(fd);
  unlink(temporary);
  return f->code == NULL;
}

/* A whole, flushed file gets its name, and the directory is flushed, so that it keeps it. */
bool jg_file_publish(const char *temporary, const char *path, jg_failure *f) {
  if (link(temporary, path) != 0)
    return jg_fail(f, errno == EEXIST ? "file_exists" : jg_code_of(errno), "%s: %s", path,
                   strerror(errno));
  return jg_file_sync_directory(path, f);
}
