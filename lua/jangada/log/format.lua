--- The bytes of a log: how an entry, the hard state and a term run are written.
--
-- An entry is stored under its index in the entry bucket, its data raw at the end, so that any
-- LMDB tool shows it:
--
--     offset 0        8      9        13
--            | term   | type | CRC32C | data ...
--
-- Everything in the sibling bucket (`replog.meta`) is sealed: the payload, then the CRC32C of key
-- and payload. All integers are big-endian. docs/log.md has both formats byte by byte.

local errors = require "jangada.errors"
local store = require "jangada.store"

local crc32c = store.crc32c
local pack, unpack, sub = string.pack, string.unpack, string.sub

local format = {}

--- What the meta bucket holds under "format". Another text is another version.
format.VERSION = "jangada.log 1"

--- The bytes of an entry before its data.
format.HEADER_SIZE = 13

local HEADER <const> = ">I8BI4" -- term, type, CRC32C
local IDENTITY <const> = ">I8I8B" -- index, term, type: what the checksum covers beside the data

local function checksum(index, term, type, data)
  return crc32c(data, crc32c(pack(IDENTITY, index, term, type)))
end

--- Writes an entry. The checksum covers the index too, so an entry read under another index than
--- its own is found out.
---@param index integer
---@param term integer
---@param type integer 0..255
---@param data string
---@return string value
function format.encode(index, term, type, data)
  return pack(HEADER, term, type, checksum(index, term, type, data)) .. data
end

--- Reads an entry. Raises `log_damaged`, naming the index, if a single bit of it has changed.
---@param index integer the key it was found under
---@param value string
---@return integer term
---@return integer type
---@return string data
function format.decode(index, value)
  if #value < format.HEADER_SIZE then
    errors.raise("log_damaged", "entry %d is damaged: %d bytes are too few for a header",
      index, #value)
  end
  local term, type, crc = unpack(HEADER, value)
  local data = sub(value, format.HEADER_SIZE + 1)
  local expected = checksum(index, term, type, data)
  if crc ~= expected then
    errors.raise("log_damaged", "entry %d is damaged: its CRC32C says %08x, its bytes give %08x",
      index, crc, expected)
  end
  return term, type, data
end

--- Writes a meta record.
---@param key string
---@param payload string
---@return string value
function format.seal(key, payload)
  return payload .. pack(">I4", crc32c(payload, crc32c(key)))
end

--- Reads a meta record. Raises `log_damaged`, naming the key, if a bit of key or payload changed.
---@param key string
---@param value string
---@return string payload
function format.unseal(key, value)
  local payload = sub(value, 1, -5)
  if #value < 4 or unpack(">I4", value, #value - 3) ~= crc32c(payload, crc32c(key)) then
    errors.raise("log_damaged", "the meta record %q is damaged", key)
  end
  return payload
end

--- Under "hard": term, commit index, and the vote ("" when there is none).
---@param term integer
---@param vote string|nil
---@param commit integer
---@return string payload
function format.encode_hard_state(term, vote, commit)
  return pack(">I8I8s1", term, commit, vote or "")
end

---@param payload string
---@return integer term
---@return string|nil vote
---@return integer commit
function format.decode_hard_state(payload)
  local term, commit, vote = unpack(">I8I8s1", payload)
  if vote == "" then vote = nil end
  return term, vote, commit
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

return format
