---@meta jangada.store

-- The classes of the C module jangada.store. Every function raises what its docstring names, as an
-- error object (jangada.errors): `code` is one of the names after "Raises". Arguments of a wrong
-- type raise Lua's own argument error. Whatever touches a file may also raise `map_full`,
-- `no_space`, `no_memory`, `io_error`, `corrupted` and `poisoned`; whatever works in a transaction
-- `tx_closed` when it has ended and `tx_failed` when an earlier failure has spoiled it; whatever
-- has a bucket or cursor `bucket_closed` or `cursor_closed` when that is gone; every call with a
-- handle `forked` in a child process and `wrong_thread` in another thread. "Bolt n" and "trap n"
-- are numbers of the rules that the specs under spec/store name.

local store = {}

---@type string version of this module
store.version = nil

---@type string version of the LMDB that it runs with
store.lmdb_version = nil

---@type table<string, string> codes of what a check finds, one sentence each
store.finding_codes = nil

---@class jangada.store.OpenOptions
---@field mode? integer permissions of a new file, 0 to 0777 (octal); default 0600
---@field read_only? boolean no writes; several processes may read so at once; default false
---@field durability? "commit"|"none"|"journal" two flushes a commit (default), none, or one
---@field size_max? integer bytes it may grow to; halved until the system grants it; 1 TiB
---@field lock_timeout_ms? integer how long to wait for another process, milliseconds; default 1000
---@field shared? boolean several processes may write, in turns; default: one owns it
---@field trees_max? integer trees (mostly top-level buckets) it may have; default 128
---@field readers_max? integer read transactions open at once, in all processes; default 1024
---@field verify? boolean walk the whole file first; a damaged one is `corrupted`
---@field allow_remote? boolean also on NFS, CIFS, 9p, FUSE: locks may not hold there

--- Opens a file, and makes it if it is missing (Bolt 1 to 6, 12). A new file is linked into place
--- whole. Follows io.open: it is the one function that does not raise when it fails. The codes are
--- not_found, permission_denied, in_use, already_open (by any name, in this process: trap 1),
--- invalid_file, truncated (trap 15), version_mismatch, remote_filesystem (trap 34), state_closed
--- (trap 28), corrupted (with verify), no_space, no_memory, io_error, and the four of the journal.
---@param path string not empty, no NUL
---@param options? jangada.store.OpenOptions an unknown option raises and names it
---@return jangada.DB|nil db
---@return string? message what went wrong, with the path
---@return string? code
function store.open(path, options) end

--- CRC-32C (Castagnoli, RFC 3720).
---@param s string
---@param seed? integer the CRC of what came before `s`; default 0
---@return integer crc 0 to 2^32-1
function store.crc32c(s, seed) end

--- Makes values of rows, for Bucket:append; docs/store.md says what a layout is. Raises
--- key_out_of_range, value_too_large.
---@param layout string
---@param first integer the key of the first value, which checksums cover
---@param rows table[] without metatables, each with the fields of the layout and no others
---@param total? integer what the sum of sizes begins with, default 0
---@return string|nil values each behind its size (">s4"); nil when a row is not as it should be
---@return integer total of the sizes; or the number of that row
---@return any key at fault in that row; nil when it is no table without a metatable
function store.pack_records(layout, first, rows, total) end

--- Reads one value.
---@param layout string
---@param key integer that it was found under
---@param value string
---@return integer|string|nil ... the fields with names, in their order; or nil and what is wrong
function store.unpack_record(layout, key, value) end

---@class jangada.store.CheckOptions
---@field findings_max? integer how many findings are kept; default 100
---@field progress? fun(done: integer, total: integer) pages; an error in it ends the check
---@field lock_timeout_ms? integer store.check alone; milliseconds, default 1000

---@class jangada.store.Finding
---@field code string one of store.finding_codes; "more" for those past findings_max
---@field message string
---@field page? integer number of the page
---@field count? integer of "more"

--- Checks a file that this process has not open, reading it with pread alone: no damage can hurt
--- the process (trap 16, Bolt 95). Raises already_open, in_use, not_found and what open answers.
---@param path string
---@param options? jangada.store.CheckOptions
---@return boolean clean
---@return jangada.store.Finding[]? findings
function store.check(path, options) end

-- ---- DB ------------------------------------------------------------------------------------

--- One open file. Close it, or keep it in a `<close>` variable.
---@class jangada.DB
local DB = {}

--- Runs fn(tx, ...) in a write transaction and commits it; returns what fn returns. If fn raises,
--- everything is rolled back and the error passes on as it is (Bolt 14, 15, 19). A yield inside
--- raises (trap 29). Raises db_closed, db_read_only, write_tx_active (Bolt 28), tx_closed when fn
--- closed the DB, and what the commit raises.
---@generic T
---@param fn fun(tx: jangada.Tx, ...): ...: T
---@param ... any
---@return T ...
function DB:update(fn, ...) end

--- Runs fn(tx, ...) in a read transaction; returns what fn returns (Bolt 16, 18, 20). A yield
--- inside raises. Raises db_closed, readers_full.
---@generic T
---@param fn fun(tx: jangada.Tx, ...): ...: T
---@param ... any
---@return T ...
function DB:view(fn, ...) end

--- Runs each function, as fn(tx), in a savepoint of its own of one write transaction: one commit
--- for all, and one that fails is undone alone (Bolt 87 to 90). Raises what update raises.
---@param functions (fun(tx: jangada.Tx): any)[]
---@return any[] results the first result of each; false where it failed
---@return table<integer, any>? errors position -> what it raised; nil when none failed
function DB:batch(functions) end

--- Begins a transaction that the caller ends with commit or rollback; collected, it is rolled back.
--- Raises db_closed, db_read_only, write_tx_active, readers_full; for shared files in_use (another
--- process writes) and map_resized (another process has made the file larger: trap 10).
---@param kind "write"|"read"
---@return jangada.Tx tx
function DB:begin(kind) end

--- The open write transaction of this DB. Raises db_closed.
---@return jangada.Tx|nil tx
function DB:write_tx() end

--- Closes the DB; a second time does nothing (Bolt 7, 8). Raises tx_open while transactions are
--- open, unless forced: then they are rolled back and all handles closed. `<close>` and collection
--- force. With a journal it also raises no_space (nothing is lost), or poisoned (a flush failed,
--- commits may be lost, and no call has said so); the DB is closed all the same.
---@param options? {force: boolean?}
function DB:close(options) end

--- The path it was opened with, "" once closed (Bolt 13).
---@return string path
function DB:path() end

--- Raises db_closed.
---@return boolean
function DB:is_read_only() end

--- The longest key and bucket name, in bytes: 503 everywhere (Bolt 57).
---@return integer size
function DB:key_size_max() end

--- The same as flush: everything that is committed is durable on return.
function DB:sync() end

--- Writes a compacted, flushed copy of the last commit while the file is in use (Bolt 94, 96). The
--- copy appears whole, under a name that must be free. Raises db_closed, file_exists, not_found,
--- permission_denied.
---@param path string
function DB:backup(path) end

--- Checks the whole file, as of the last commit, while it is in use (Bolt 95). Damage is reported,
--- not raised. Raises db_closed, readers_full, in_use.
---@param options? jangada.store.CheckOptions
---@return boolean clean
---@return jangada.store.Finding[]? findings
function DB:check(options) end

---@class jangada.store.Info
---@field path string
---@field durability "commit"|"none"|"journal"
---@field read_only boolean
---@field shared boolean
---@field page_size integer bytes
---@field size_max integer bytes, as the system granted it
---@field size integer bytes up to the last page in use
---@field file_size integer bytes
---@field disk_size integer bytes that the file takes on disk
---@field last_tx_id integer of the last commit
---@field readers integer reader slots used so far
---@field readers_max integer
---@field reader_age integer commits since the oldest open snapshot: what it pins grows (trap 26)
---@field trees integer
---@field trees_max integer
---@field journal? jangada.store.JournalInfo

---@class jangada.store.JournalInfo
---@field path string
---@field size integer bytes
---@field used integer bytes
---@field epoch integer
---@field lsn integer of the last commit
---@field flushed_lsn integer
---@field checkpoint_lsn integer
---@field behind integer commits that the journal alone has
---@field replayed integer commits that were found in it when the file was opened

--- What the file is. Raises db_closed.
---@return jangada.store.Info info
function DB:info() end

---@class jangada.store.Counts
---@field gets integer
---@field puts integer
---@field deletes integer
---@field appended integer items
---@field cursors integer
---@field cursor_moves integer
---@field savepoints integer

---@class jangada.store.Stats: jangada.store.Counts sums over the transactions that have ended
---@field reads integer read transactions begun
---@field commits integer
---@field rollbacks integer
---@field open_reads integer
---@field open_writes integer 0 or 1
---@field pages integer
---@field free_pages integer
---@field flushes? jangada.store.Times of the journal
---@field checkpoints? jangada.store.Times
---@field checkpoint_failures? integer

---@class jangada.store.Times how long something took, each time
---@field count integer
---@field total_us integer microseconds
---@field max_us integer
---@field below table<integer, integer> a histogram: [n] were shorter than n us, and not than n/2

--- What was done since the file was opened (Bolt 93). Raises db_closed.
---@return jangada.store.Stats stats
function DB:stats() end

---@class jangada.store.Reader
---@field pid integer
---@field tx_id integer of its snapshot
---@field age integer commits since

--- The open snapshots of all processes; slots of dead ones are cleared first (trap 27). Raises
--- db_closed.
---@return jangada.store.Reader[] readers
---@return integer cleared how many slots were of dead processes
function DB:readers() end

-- ---- Tx ------------------------------------------------------------------------------------

--- One transaction. A read transaction sees the file as it was when it began (Bolt 25).
---@class jangada.Tx
local Tx = {}

---@class jangada.store.BucketOptions
---@field keys? "string"|"integer" integers are 0 to 2^63-1, without nested buckets
---@field tree? boolean of its own, or a prefix in a common one; at the top level true

--- The bucket of a name, or nil (Bolt 32). Raises incompatible for a database of another program
--- with LMDB flags that are not supported.
---@param name string
---@return jangada.Bucket|nil bucket
function Tx:bucket(name) end

--- Makes a bucket at the top level (Bolt 33). Raises tx_not_writable, bucket_exists, incompatible
--- (the name is a plain key's), bucket_name_required, key_too_large, trees_full.
---@param name string 1 to 503 bytes
---@param options? jangada.store.BucketOptions
---@return jangada.Bucket bucket
function Tx:create_bucket(name, options) end

--- The bucket of that name, made if it is missing (Bolt 34). Raises what create_bucket does but
--- bucket_exists; incompatible also when integer keys are asked for and it has strings.
---@param name string
---@param options? jangada.store.BucketOptions
---@return jangada.Bucket bucket
function Tx:ensure_bucket(name, options) end

--- Deletes a bucket with all in it; its handles are closed (Bolt 35 to 38, 44). Raises
--- tx_not_writable, bucket_not_found, incompatible, bucket_name_required, key_too_large.
---@param name string
function Tx:delete_bucket(name) end

--- Moves a top-level bucket into another bucket, whatever is in it, in constant time; its handles
--- move along (Bolt 45 to 51). Raises tx_not_writable, different_tx, bucket_not_found,
--- incompatible, same_bucket, bucket_cycle, bucket_exists, bucket_name_required, key_too_large.
---@param name string
---@param destination jangada.Bucket|jangada.Tx
function Tx:move_bucket(name, destination) end

--- `for name, bucket in tx:buckets()`: in the order of names; what happens meanwhile is seen (Bolt
--- 41). A database of another program that is not supported comes with nil.
---@return fun(): string?, jangada.Bucket?
function Tx:buckets() end

--- Commits. Raises tx_closed, tx_managed (Bolt 17), savepoint_active, tx_not_writable (Bolt 22);
--- when the commit itself fails, the transaction is rolled back; with `poisoned` it is unknown
--- whether it was. {wait=false} returns before the commit is durable, if there is a journal.
---@param options? {wait: boolean?} default true
---@return jangada.Ticket? ticket with wait=false
function Tx:commit(options) end

--- Rolls back (Bolt 21, 27). Raises tx_closed, tx_managed, savepoint_active.
function Tx:rollback() end

--- Runs fn(tx, ...) and returns what it returns. If it raises, only what was written in it is
--- undone (buckets made in it too), its on_rollback handlers run, and the error passes on. Nests.
--- A yield inside raises. Raises tx_not_writable; tx_closed when fn closed the DB.
---@generic T
---@param fn fun(tx: jangada.Tx, ...): ...: T
---@param ... any
---@return T ...
function Tx:savepoint(fn, ...) end

--- Registers fn to run after the commit, in order; it may begin transactions. Never after a
--- rollback, nor when the savepoint it was registered in is undone (Bolt 31). If one raises, the
--- others run, then the first error is raised. Raises tx_not_writable.
---@param fn fun()
function Tx:on_commit(fn) end

--- Registers fn to run when the transaction is rolled back, by whatever, or the savepoint that it
--- was registered in undone. Raises tx_not_writable.
---@param fn fun()
function Tx:on_rollback(fn) end

--- The number of the commit: this one's to be, or the snapshot's; -1 once it has ended (Bolt 29).
---@return integer id
function Tx:id() end

--- Bytes up to the last page in use when it began (Bolt 30); 0 once it has ended.
---@return integer bytes
function Tx:size() end

--- What was asked of this transaction so far.
---@return jangada.store.Counts stats
function Tx:stats() end

---@return boolean
function Tx:is_writable() end

---@return jangada.DB db
function Tx:db() end

-- ---- Bucket ----------------------------------------------------------------------------------

--- A bucket in one transaction. Keys are strings of 1 to 503 bytes, in the order of unsigned bytes,
--- or integers 0 to 2^63-1. Keys and the buckets in it share one namespace. In one transaction a
--- bucket has one handle (Bolt 42).
---@class jangada.Bucket
local Bucket = {}

---@alias jangada.store.Key string|integer the kind that the bucket was made for

--- The value, or nil when there is none or a bucket of that name (Bolt 52). Raises key_too_large,
--- key_out_of_range.
---@param key jangada.store.Key
---@return string|nil value a copy, valid for ever (Bolt 62)
function Bucket:get(key) end

--- Stores a value, over the one that was there (Bolt 53 to 59). Raises tx_not_writable,
--- key_required, key_too_large, key_out_of_range, value_too_large, incompatible (a bucket has that
--- name).
---@param key jangada.store.Key
---@param value string may be empty; below 2 GiB
function Bucket:put(key, value) end

--- Deletes a key (Bolt 60, 61). Raises tx_not_writable, key_required, key_too_large,
--- key_out_of_range, incompatible.
---@param key jangada.store.Key
---@return boolean existed
function Bucket:delete(key) end

--- Deletes from <= key <= to. Raises tx_not_writable, key_too_large, key_out_of_range, incompatible
--- (there is a bucket within the range; nothing is deleted then).
---@param from? jangada.store.Key nil: from the first
---@param to? jangada.store.Key nil: to the last
---@return integer count
function Bucket:delete_range(from, to) end

--- Puts many at once, past the last key of the bucket and ascending; pages are filled, not split.
--- All is checked before the first is written. Raises tx_not_writable, not_ascending, key_required,
--- key_too_large, key_out_of_range, value_too_large.
---@param keys jangada.store.Key[]|integer the keys, or the first of consecutive integer ones
---@param values string[]|string the values, or one string with each behind its size (">s4")
---@return integer count
function Bucket:append(keys, values) end

--- Reads records under consecutive integer keys. Raises key_out_of_range.
---@param layout string as store.pack_records takes it
---@param from integer
---@param to integer
---@param bytes_max? integer of the rest, in all; one record is given even so
---@return integer count
---@return any ... an array for each field with a name, in their order; then nil, or what is wrong
---  with the record after them: "is missing", or "is damaged" and how
function Bucket:records(layout, from, to, bytes_max) end

---@class jangada.store.EachOptions
---@field from? jangada.store.Key the least key
---@field to? jangada.store.Key the greatest key; from <= to also in reverse
---@field prefix? string only keys that begin with it; not for integer keys
---@field reverse? boolean from the last to the first
---@field limit? integer how many at most

--- `for key, value in bucket:each{...}`: in the order of keys, a bucket with nil (Bolt 84).
--- Deleting on the way skips nothing; what is put ahead is seen (Bolt 85). The generic for closes
--- it also on break and on errors (trap 30). Raises key_too_large, key_out_of_range.
---@param options? jangada.store.EachOptions
---@return fun(cursor: jangada.Cursor): jangada.store.Key?, string?
---@return jangada.Cursor
---@return nil
---@return jangada.Cursor
function Bucket:each(options) end

--- A cursor that stands nowhere yet.
---@return jangada.Cursor cursor
function Bucket:cursor() end

--- How many keys and buckets there are directly in it: known at once for a tree, counted one by one
--- for a prefix.
---@return integer count
function Bucket:count() end

---@class jangada.store.BucketStats sums over the bucket and all in it (Bolt 91)
---@field keys integer keys and buckets
---@field buckets integer itself too
---@field trees integer
---@field depth integer of the deepest tree
---@field branch_pages integer
---@field leaf_pages integer
---@field overflow_pages integer

---@return jangada.store.BucketStats stats
function Bucket:stats() end

--- The bucket in it of that name, or nil (Bolt 32).
---@param name string
---@return jangada.Bucket|nil bucket
function Bucket:bucket(name) end

--- Makes a bucket in it, by default a prefix (Bolt 33). Raises as Tx:create_bucket; incompatible
--- also when this one has integer keys.
---@param name string 1 to 503 bytes
---@param options? jangada.store.BucketOptions
---@return jangada.Bucket bucket
function Bucket:create_bucket(name, options) end

--- The bucket in it of that name, made if it is missing (Bolt 34). Raises as Tx:ensure_bucket.
---@param name string
---@param options? jangada.store.BucketOptions
---@return jangada.Bucket bucket
function Bucket:ensure_bucket(name, options) end

--- Deletes a bucket in it. Raises as Tx:delete_bucket.
---@param name string
function Bucket:delete_bucket(name) end

--- Moves a bucket in it into another bucket, or to the top level. Raises as Tx:move_bucket.
---@param name string
---@param destination jangada.Bucket|jangada.Tx
function Bucket:move_bucket(name, destination) end

--- `for name, bucket in bucket:buckets()`: the buckets in it, as Tx:buckets.
---@return fun(): string?, jangada.Bucket?
function Bucket:buckets() end

--- 0 in a new bucket (Bolt 66).
---@return integer sequence
function Bucket:sequence() end

--- Sets the sequence (Bolt 67). Raises tx_not_writable.
---@param n integer not negative
function Bucket:set_sequence(n) end

--- Adds 1 to the sequence and returns it; rolled back with the transaction (Bolt 66 to 72). Raises
--- tx_not_writable, sequence_overflow past 2^63-1.
---@return integer sequence
function Bucket:next_sequence() end

---@return string name
function Bucket:name() end

---@return jangada.Tx tx
function Bucket:tx() end

---@return boolean
function Bucket:is_writable() end

-- ---- Cursor ----------------------------------------------------------------------------------

--- A place among the items of a bucket. Moves return key and value; the name of a nested bucket and
--- nil; nil alone past an end (Bolt 73). It keeps its place by key, whatever others write.
---@class jangada.Cursor
local Cursor = {}

---@return jangada.store.Key? key
---@return string? value
function Cursor:first() end

---@return jangada.store.Key? key
---@return string? value
function Cursor:last() end

--- Past the last item: nil, any number of times, and it stays on the last (Bolt 75, 76).
---@return jangada.store.Key? key
---@return string? value
function Cursor:next() end

--- Before the first item: nil, and it stays on the first. After a seek past the end: the last (Bolt
--- 77).
---@return jangada.store.Key? key
---@return string? value
function Cursor:prev() end

--- To the key, or the next greater one (Bolt 74). Raises key_too_large, key_out_of_range.
---@param key jangada.store.Key "" is the first
---@return jangada.store.Key? key
---@return string? value
function Cursor:seek(key) end

--- Deletes the item it stands on; next and prev then give its neighbours (Bolt 80 to 83). Raises
--- tx_not_writable, cursor_unpositioned (nowhere, or its item is gone), incompatible (a bucket).
function Cursor:delete() end

---@return jangada.Bucket bucket
function Cursor:bucket() end

return store
