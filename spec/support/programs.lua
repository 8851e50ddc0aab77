-- Other programs for the store's specs: LMDB's own tools (Debian: lmdb-utils) and py-lmdb
-- (python3-lmdb), and a sample file for them.
local fresh = require "spec.support.fresh"

local programs = {}

--- Runs a shell command; what the specs' process preloads (a sanitizer) is not for it.
---@return string output
---@return integer status exit status
function programs.sh(format, ...)
  local command = "unset LD_PRELOAD; " .. format:format(...) .. "; echo exit $?"
  local pipe <close> = assert(io.popen(command))
  local output, status = pipe:read("a"):match("^(.-)exit (%d+)\n$")
  return output, tonumber(status)
end

--- Runs a shell command that must succeed; returns what it printed.
function programs.must(format, ...)
  local output, status = programs.sh(format .. " 2>&1", ...)
  assert(status == 0, output)
  return output
end

programs.write_file = fresh.write_file

local python
for _, name in ipairs{ "/usr/bin/python3", "python3" } do
  local _, status = programs.sh("%s -c 'import lmdb' 2>&1", name)
  if status == 0 then python = python or name end
end
programs.has_python = python ~= nil
programs.has_tools = select(2, programs.sh("command -v mdb_stat mdb_dump mdb_load mdb_copy")) == 0
programs.no_tools = "mdb_stat, mdb_dump, mdb_load or mdb_copy is missing (Debian: lmdb-utils)"
programs.no_python = "no python3 here has the module lmdb (Debian: python3-lmdb)"

--- Runs Python source, with `path` and the module lmdb; returns what it prints.
function programs.py(path, source)
  local script = fresh.path() .. ".py"
  local indent = source:match("^( *)%S") or ""
  programs.write_file(script, ("import lmdb, struct, sys\npath = %q\n%s"):format(path,
    ("\n" .. source):gsub("\n" .. indent, "\n")))
  return programs.must("%s '%s'", python, script)
end

local magic = "\x8aJangada\r\n\x1a\n\xf3\x5c\xb9\x27"

--- A file with one of each: kinds of buckets and keys, sequences, what was moved and deleted.
---@return jangada.DB db
---@return string path
---@return string other path, of nothing yet
function programs.sample(path)
  local db = fresh.open(path)
  db:update(function(tx)
    local people = tx:create_bucket("people")
    people:put("ann", "engineer")
    people:put("bob", "sailor")
    people:put("empty", "")
    people:put("\0\xff", "\0binary\xff\n")
    people:put("large", ("x"):rep(10000))
    people:put("magic", magic .. "T and more")
    people:set_sequence(7)
    local notes = people:create_bucket("notes")
    notes:put("k", "nested")
    notes:create_bucket("deeper", { keys = "integer" }):append(1, { "one", "two" })
    notes:bucket("deeper"):set_sequence(math.maxinteger)
    people:create_bucket("own", { tree = true }):put("k", "in its own tree")
    tx:create_bucket("numbers", { keys = "integer" }):append(0, { "zero", "one", "two" })
    tx:bucket("numbers"):put(math.maxinteger, "last")
    tx:create_bucket("shared", { tree = false }):put("k", "v")
    tx:create_bucket("odd\0name"):put("k", "v")
    tx:create_bucket("odd\nname"):put("k", "v")
    tx:create_bucket("dead"):put("k", "v")
    tx:create_bucket("moved"):put("k", "v")
    tx:move_bucket("moved", people)
    tx:create_bucket("moved"):put("k", "another")
    tx:create_bucket("empty")
  end)
  db:update(function(tx) tx:delete_bucket("dead") end)
  return db, path, fresh.path()
end

local function contents(parent, is_tx)
  local all = { buckets = {} }
  for name, b in parent:buckets() do all.buckets[name] = contents(b) end
  if is_tx then return all end
  all.sequence = parent:sequence()
  all.items = fresh.gather(parent:each())
  return all
end

--- All that is committed, as plain tables.
function programs.all_of(db)
  return db:view(contents, true)
end

return programs
