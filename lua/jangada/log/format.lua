--- The bytes of a log: how an entry and the records beside it are written.
--
-- An entry is stored under its index in the entry bucket, its data raw at the end, so that any
-- LMDB tool shows it:
--
--     offset 0        8          16     17       21
--            | term   | position | type | CRC32C | data ...
--
-- The position is the sum of the sizes of all data up to this entry, from index 1 on: so the size
-- of a log, or of any part of it, is a difference of two of them, and is kept where the data is.
--
-- Everything in the sibling bucket (`replog.meta`) is sealed: the payload, then the CRC32C of key
-- and payload. All integers are big-endian. docs/log.md has both formats byte by byte.

local errors = require "jangada.errors"
local store = require "jangada.store"

local crc32c = store.crc32c
local pack, unpack, sub = string.pack, string.unpack, string.sub

local format = {}

--- What the meta bucket holds under "format". Another text is another version.
format.VERSION = "jangada.log 2"

--- An entry, as store.pack_records and bucket:records take it. The checksum covers the index too,
--- so an entry read under another index than its own is found out; terms never fall.
format.ENTRY = "term:I8+ position:T type:I1? :C data:*"

--- The same for who does not ask for positions.
format.ENTRY_ALONE = "term:I8 :T type:I1? :C data:*"

--- The bytes of an entry before its data.
format.HEADER_SIZE = 21

--- Writes an entry.
---@param index integer
---@param term integer
---@param type integer 0..255
---@param data string
---@param position? integer bytes of all data up to and with this one; default: it is the first
---@return string value
function format.encode(index, term, type, data, position)
  local entry = { term = term, type = type, data = data }
  local packed = store.pack_records(format.ENTRY, index, { entry }, (position or #data) - #data)
  return (unpack(">s4", packed))
end

--- Reads an entry. Raises `log_damaged`, naming the index, if a single bit of it has changed.
---@param index integer the key it was found under
---@param value string
---@return integer term
---@return integer type
---@return string data
---@return integer position
function format.decode(index, value)
  local term, position, type, data = store.unpack_record(format.ENTRY, index, value)
  if not term then errors.raise("log_damaged", "entry %d %s", index, position) end
  return term, type, data, position
end

--- Writes a meta record.
---@param key string
---@param payload string
---@return string value
function format.seal(key, payload)
  return payload .. pack(">I4", crc32c(payload, crc32c(key)))
end

--- Reads a meta record.
---@param key string
---@param value string
---@return string|nil payload nil if a bit of key or payload has changed
function format.open_seal(key, value)
  local payload = sub(value, 1, -5)
  if #value < 4 or unpack(">I4", value, #value - 3) ~= crc32c(payload, crc32c(key)) then
    return nil
  end
  return payload
end

--- Reads a meta record. Raises `log_damaged`, naming the key, if a bit of key or payload changed.
---@param key string
---@param value string
---@return string payload
function format.unseal(key, value)
  local payload = format.open_seal(key, value)
  if not payload then errors.raise("log_damaged", "the meta record %q is damaged", key) end
  return payload
end

--- Under "hard": term, commit and applied index, and the vote ("" when there is none).
---@param term integer
---@param vote string|nil
---@param commit integer
---@param applied integer
---@return string payload
function format.encode_hard_state(term, vote, commit, applied)
  return pack(">I8I8I8s1", term, commit, applied, vote or "")
end

---@param payload string
---@return integer term
---@return string|nil vote
---@return integer commit
---@return integer applied
function format.decode_hard_state(payload)
  local term, commit, applied, vote = unpack(">I8I8I8s1", payload)
  if vote == "" then vote = nil end
  return term, vote, commit, applied
end

--- Under "base": the place before the first entry, once entries were compacted.
---@param index integer
---@param term integer of the entry that was there
---@param position integer of that entry
---@param compactions integer how many times the base has moved
---@return string payload
function format.encode_base(index, term, position, compactions)
  return pack(">I8I8I8I8", index, term, position, compactions)
end

---@param payload string
---@return integer index
---@return integer term
---@return integer position
---@return integer compactions
function format.decode_base(payload)
  local index, term, position, compactions = unpack(">I8I8I8I8", payload)
  return index, term, position, compactions
end

---@class jangada.log.Snapshot
---@field index integer of the last entry it covers
---@field term integer of that entry
---@field position integer the bytes of all data up to it, from index 1 on
---@field id integer of its chunks; 0 when it has no data in the log
---@field size integer bytes of data
---@field chunks integer
---@field info string the user's own

--- Under "snapshot".
---@param snapshot jangada.log.Snapshot
---@return string payload
function format.encode_snapshot(snapshot)
  return pack(">I8I8I8I8I8I8", snapshot.index, snapshot.term, snapshot.position, snapshot.id,
    snapshot.size, snapshot.chunks) .. snapshot.info
end

---@param payload string
---@return jangada.log.Snapshot
function format.decode_snapshot(payload)
  local index, term, position, id, size, chunks, at = unpack(">I8I8I8I8I8I8", payload)
  return { index = index, term = term, position = position, id = id, size = size, chunks = chunks,
    info = sub(payload, at) }
end

--- The key of a term run is "run/" and the term; its payload is the first index of that term.
---@param term integer
---@return string key
function format.run_key(term)
  return pack(">c4I8", "run/", term)
end

---@param key string
---@return integer term
function format.run_term(key)
  return (unpack(">I8", key, 5))
end

---@param first integer
---@return string payload
function format.encode_run(first)
  return pack(">I8", first)
end

---@param payload string
---@return integer first
function format.decode_run(payload)
  return (unpack(">I8", payload))
end

--- The key of a chunk of a snapshot is "chunk/", the id of the snapshot's chunks and its number,
--- from 1.
---@param id integer
---@param number integer
---@return string key
function format.chunk_key(id, number)
  return pack(">c6I8I8", "chunk/", id, number)
end

--- Whether a key of the meta bucket can be that of a chunk.
---@param key string
---@return boolean
function format.is_chunk_key(key)
  return #key == 22 and sub(key, 1, 6) == "chunk/"
end

---@param key string
---@return integer id
---@return integer number
function format.chunk_place(key)
  local id, number = unpack(">I8I8", key, 7)
  return id, number
end

--- The key of a stable value.
---@param key string the user's
---@return string key
function format.stable_key(key)
  return "stable/" .. key
end

--- The key of a sample is "series/", the length of the name (1 byte), the name and a number that
--- counts up.
---@param name string
---@param number? integer nil: what the keys of all samples of that name begin with
---@return string key
function format.sample_key(name, number)
  local prefix = pack(">c7s1", "series/", name)
  return number and prefix .. pack(">I8", number) or prefix
end

---@param key string
---@return string name
---@return integer number
function format.sample_place(key)
  local name, number = unpack(">s1I8", key, 8)
  return name, number
end

-- Numbers keep their kind: 0 is an integer, 1 a float.
local function encode_number(n)
  if math.type(n) == "integer" then return pack(">Bi8", 0, n) end
  return pack(">Bd", 1, n)
end

local function decode_number(payload, at)
  return (unpack(payload:byte(at) == 0 and ">i8" or ">d", payload, at + 1))
end

--- A sample: two numbers, each one byte for its kind and 8 bytes.
---@param time number
---@param value number
---@return string payload
function format.encode_sample(time, value)
  return encode_number(time) .. encode_number(value)
end

---@param payload string
---@return number time
---@return number value
function format.decode_sample(payload)
  return decode_number(payload, 1), decode_number(payload, 10)
end

return format
