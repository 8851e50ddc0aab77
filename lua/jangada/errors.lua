--- Every error of Jangada: the codes, one sentence each, and the constructor of error objects.
--
-- A failure is raised as a table `{code=, message=, where=}` whose text is
-- "file:line: message (code)". Code that must tell failures apart compares `code`; a person
-- reads the message, which says what was wrong and with which value.

local errors = {}

---@class jangada.Error
---@field code string one of the keys of `errors.codes`
---@field message string what was wrong, and with what
---@field where string "file:line: " of the call that failed, or ""
local Error = { __name = "jangada.Error" }
Error.__index = Error

function Error:__tostring()
  return ("%s%s (%s)"):format(self.where, self.message, self.code)
end

--- The metatable of error objects; the C module raises with the same one.
errors.Error = Error

---@type table<string, string> code -> one sentence
errors.codes = {
  -- opening a file
  already_open = "This process has the file open already, by this or another name.",
  in_use = "Another process holds the file, and went on holding it for lock_timeout_ms.",
  invalid_file = "The file is not an LMDB file, or one too damaged to open.",
  truncated = "The file is shorter than its meta pages say.",
  version_mismatch = "The file was made by another version of the format.",
  remote_filesystem = "The file is on a network filesystem, where locks and maps are not safe.",
  file_exists = "There is a file of that name already, and it is not overwritten.",
  not_found = "The file or its directory does not exist.",
  journal_missing = "The file needs its journal, which is not there.",
  journal_foreign = "The journal and the file do not belong together.",
  journal_corrupt = "A record of the journal that was flushed is damaged.",
  journal_pending = "The journal must be brought into the file first, by opening it for writing.",
  permission_denied = "The system denies access to the file, its lock file or its directory.",

  -- handles
  db_closed = "The DB is closed.",
  state_closed = "The Lua state is being closed, and opens no file any more.",
  tx_closed = "The transaction has ended.",
  bucket_closed = "The bucket was deleted or moved away under this handle.",
  cursor_closed = "The cursor, or the iteration it serves, has ended.",
  forked = "The handle was made before a fork; only the parent may use it.",
  wrong_thread = "The handle belongs to another thread.",

  -- transactions
  tx_open = "The DB has open transactions.",
  tx_managed = "update and view end their transaction themselves.",
  tx_not_writable = "The transaction is a read transaction.",
  tx_failed = "An earlier failure has spoiled the transaction; it can only be rolled back.",
  write_tx_active = "A write transaction of this DB is open already.",
  read_tx_active = "With a journal nothing else goes on while a view is open.",
  tx_full = "The transaction or savepoint changes more pages than LMDB keeps in memory.",
  savepoint_active = "The call has to wait until the open savepoint has ended.",
  db_read_only = "The DB was opened read_only.",

  -- buckets, keys and values
  bucket_exists = "A bucket of that name exists already.",
  bucket_not_found = "There is no bucket of that name.",
  same_bucket = "The bucket is at the destination already.",
  bucket_cycle = "A bucket cannot be moved into itself, or into a bucket in it.",
  different_tx = "The destination belongs to another transaction.",
  sequence_overflow = "A sequence ends at 2^63-1.",
  bucket_name_required = "The name of a bucket cannot be empty.",
  incompatible = "The name or key is taken by something of another kind.",
  key_required = "A key cannot be empty.",
  key_too_large = "The key is over the limit.",
  key_out_of_range = "An integer key lies between 0 and 2^63-1.",
  not_ascending = "append takes keys in ascending order, past the last key of the bucket.",
  value_too_large = "The value is over the limit.",
  cursor_unpositioned = "The cursor stands on no item.",
  trees_full = "The file has as many trees as trees_max allows.",

  -- the log: the rules of Raft's storage, and damage
  log_bad_field = "An argument of the log has the wrong type or range, or an unknown name.",
  log_term_fell = "The current term of a server never falls.",
  log_gap = "Entries must follow the last one without a gap.",
  log_committed = "Committed entries are never replaced or removed.",
  log_entry_term_fell = "Terms never fall along the log.",
  log_entry_term_ahead = "An entry cannot have a term above the current one.",
  log_commit_fell = "The commit index never falls.",
  log_commit_past_end = "The commit index cannot pass the last entry.",
  log_applied_fell = "The applied index never falls.",
  log_applied_past_commit = "Only committed entries are applied.",
  log_snapshot_fell = "A snapshot never covers less than the one before it.",
  log_snapshot_past_commit = "A snapshot covers committed entries only.",
  log_snapshot_mismatch = "The log does not hold the last entry that the snapshot covers.",
  log_snapshot_size = "The data of a snapshot are not as many bytes as they were said to be.",
  log_snapshot_ended = "The snapshot's writer was saved, aborted or undone, or it was replaced.",
  log_compact_past_snapshot = "Only what a snapshot covers can be removed.",
  log_compacted = "The entries asked for were removed.",
  log_not_empty = "The log that another one is to be copied to holds something.",
  log_damaged = "What is stored of the log does not match its checksum, or itself.",

  -- the reference Raft
  raft_bad_option = "An option of Raft is unknown or has the wrong type or range.",
  raft_unknown_rule = "raft.with replaces rules that exist, and this one does not.",

  -- nodes and protocols
  argument_invalid = "An argument has the wrong type or range.",
  body_invalid = "The body of a message is a table with a string `type`.",
  delay_invalid = "A delay is a number of milliseconds, not negative and not endless.",
  module_not_allowed = "A protocol can require a short list of modules, and this is none of them.",
  no_handler = "A node has no handler for a type of message that another node sends.",
  not_deterministic = "A protocol reached for what differs from one process to the next.",
  not_plain = "Only plain data crosses between nodes.",
  protocol_invalid = "The protocol does not compile, or does not return a function.",
  protocol_not_found = "The file or module of the protocol cannot be read.",
  turn_over = "A node can act only while one of its turns runs.",
  turn_owns_db = "The turn begins and ends a node's transaction, the protocol does not.",
  unknown_destination = "There is no node or client of that id.",
  unordered_key = "A table whose keys have no order cannot be walked.",
  yield_refused = "A handler, and what runs inside a transaction, cannot yield.",

  -- the lab
  choice_invalid = "Who decides has named a way that there is not.",
  command_refused = "The cluster refused a command that no retry will mend.",
  directory_invalid = "The directory cannot be used, or holds the stores of another run.",
  event_gone = "An event that is to happen next does not wait any more.",
  option_invalid = "An option has the wrong type or range.",
  option_unknown = "There is no option of that name.",
  path_lost = "The path of an exploration leads through this world no more.",
  record_differs = "A recorded decision is not the one that is asked for.",
  queue_full = "More events wait than the lab's queue can hold.",
  time_out_of_range = "The time is past what the lab's clock can reach.",
  unknown_node = "There is no node of that index or id.",
  world_busy = "The world runs, or a node's turn does: the call has to wait until it is over.",
  world_closed = "The world is closed.",

  -- the checker of histories
  history_invalid = "The history cannot be read, or is none: no client can have seen it.",
  model_invalid = "The model is unknown, or lacks what a model needs.",

  -- the file and the machine under it
  map_full = "The file would grow past size_max.",
  map_resized = "Another process made the file larger than the map: end the open transactions.",
  readers_full = "All reader slots are taken.",
  no_space = "The disk is full.",
  no_memory = "The system is out of memory.",
  io_error = "The system could not read or write the file.",
  corrupted = "The file holds a page that cannot be right.",
  poisoned = "A flush failed: what is on the disk shows only when the DB is opened again.",

  -- the command line
  input_invalid = "A file named on the command line cannot be used.",
  worker_failed = "A process that was to run seeds could not begin.",
  run_failed = "A run ended with a verdict, or did not end.",
}

--- Makes an error object without raising it.
---@param code string a key of `errors.codes`
---@param message string
---@param where? string "file:line: ", default ""
---@return jangada.Error
function errors.new(code, message, where)
  if not errors.codes[code] then
    error(("no such error code: %s"):format(tostring(code)), 2)
  end
  return setmetatable({ code = code, message = message, where = where or "" }, Error)
end

local OURS <const> = { errors = true, check = true, log = true, node = true, raft = true,
  lab = true, cli = true }
local LEVELS_MAX <const> = 16

-- "file:line: " of the innermost function on the stack that is not Jangada's own.
local function find_caller()
  local nearest
  for level = 5, LEVELS_MAX do
    -- `error` writes the position of a level without the debug library, which protocols lack.
    local _, where = pcall(error, "", level)
    if where ~= "" then
      if not OURS[where:match("jangada/(%l+)[%./].*:%d+: $")] then return where end
      nearest = nearest or where
    end
  end
  return nearest
end

--- Raises an error object that names the place where Jangada was called, as a C function of the
--- store does: what is wrong was wrong there.
---@param code string a key of `errors.codes`
---@param format string a string.format format for the message
---@param ... any its arguments
function errors.raise(code, format, ...)
  error(errors.new(code, format:format(...), find_caller()), 0)
end

--- Tells whether a value is an error object, of the given code if one is given.
---@param value any
---@param code? string
---@return boolean
function errors.is(value, code)
  return type(value) == "table" and type(value.code) == "string" and value.message ~= nil
    and (code == nil or value.code == code)
end

return errors
