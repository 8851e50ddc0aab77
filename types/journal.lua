---@meta jangada.store

-- What the store has for durability "journal" (docs/journal.md), beside types/store.lua.

local store = {}

---@class jangada.store.OpenOptions
---@field journal_size? integer bytes of the journal, 65536 to 2^30; default 16 MiB
---@field journal_disk? jangada.MemoryDisk keeps the journal in place of a file, without a flusher
---@field flusher? boolean a thread flushes commits that are not waited for; default true
---@field salvage? boolean opens although the journal is missing, foreign or damaged, with what can
--- be had: commits after that are lost

-- ---- DB ------------------------------------------------------------------------------------

---@class jangada.DB
local DB = {}

--- Makes everything that is committed durable: with a journal by flushing it, else as sync does.
--- Raises db_closed, db_read_only, poisoned.
function DB:flush() end

--- Brings everything that is committed into the file itself, flushed: for other processes to see.
--- Raises db_closed, db_read_only; with a journal write_tx_active, read_tx_active, poisoned, and
--- no_space: then nothing is lost, and the DB serves on.
function DB:checkpoint() end

--- A file descriptor that is readable when commits have become durable since a ticket was last
--- looked at. It belongs to the DB, and is not to be closed. Raises db_closed, incompatible (no
--- journal).
---@return integer fd
function DB:durable_fd() end

--- Drops the DB as the death of the process would: nothing more is written. Raises read_tx_active.
function DB:abandon() end

-- ---- Ticket --------------------------------------------------------------------------------

--- A commit that was not waited for, of tx:commit{wait=false}. Tickets become durable in order.
---@class jangada.Ticket
local Ticket = {}

--- Is it durable by now? Runs on_commit handlers that have waited for it. Raises poisoned.
---@return boolean
function Ticket:is_durable() end

--- Waits until it is, or the time is over; where no thread flushes, it does. Raises poisoned, and
--- db_closed when the DB was abandoned before.
---@param timeout_ms? integer milliseconds; default: no end
---@return boolean is_durable
function Ticket:wait(timeout_ms) end

--- The number of the commit (what tx:id() was); 0 without a journal.
---@return integer id
function Ticket:id() end

-- ---- MemoryDisk ----------------------------------------------------------------------------

--- A disk in memory for a journal. It outlives the DB that uses it; one at a time does.
---@return jangada.MemoryDisk disk
function store.memory_disk() end

--- Simulates power failures. What changes its bytes raises in_use while a DB uses it.
---@class jangada.MemoryDisk
local MemoryDisk = {}

---@return integer size bytes
function MemoryDisk:size() end

--- Where writes since the last flush lie; nil: nowhere.
---@return integer|nil from
---@return integer|nil to the byte behind the last
function MemoryDisk:unflushed() end

---@param at integer
---@param size integer bytes
---@return string bytes
function MemoryDisk:read(at, size) end

--- A power failure: of the unflushed range only the first bytes survive.
---@param keep? integer bytes; default 0
function MemoryDisk:cut(keep) end

--- A power failure that each unflushed sector of 512 bytes survives, or not.
---@param survives fun(sector: integer): boolean sectors of the range, from 1
function MemoryDisk:tear(survives) end

--- Overwrites bytes, as rot does.
---@param at integer
---@param bytes string
function MemoryDisk:scribble(at, bytes) end

--- Makes the n-th call from now fail. A write that fails has written the first half.
---@param call "write"|"flush"|"truncate"
---@param n? integer default 1; 0: none
---@param error? "EIO"|"ENOSPC" default EIO
function MemoryDisk:fail(call, n, error) end

--- Lets flushes succeed and keep nothing, or no longer.
---@param on boolean
function MemoryDisk:lie(on) end
