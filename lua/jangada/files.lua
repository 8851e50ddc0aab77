--- Files and directories, as far as Lua alone cannot make and name them.

local files = {}

--- A word for the system's shell that means `text` and nothing else.
---@param text string
---@return string
function files.quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

--- The same, without quotes where none are needed: for commands that people read.
---@param text string
---@return string
function files.word(text)
  return text:find("^[%w%./_-]+$") and text or files.quote(text)
end

--- Makes a directory, and those that it is in, where they are missing.
---@param path string
---@return boolean done
function files.make_directory(path)
  return os.execute(("mkdir -p -- %s 2>/dev/null"):format(files.quote(path))) == true
end

--- Makes an empty directory of a new name.
---@param name string the first part of its name
---@param parent? string the directory that it is made in (default: TMPDIR, or /tmp)
---@return string|nil path nil: it cannot be made
function files.make_temporary(name, parent)
  parent = parent or os.getenv("TMPDIR") or "/tmp"
  local pipe <close> = assert(io.popen(("mktemp -d -- %s 2>/dev/null"):format(
    files.quote(("%s/%s-XXXXXX"):format(parent, name)))))
  return (pipe:read("l"))
end

--- Removes the files of a store that is closed: the one of that name, and those beside it.
---@param path string
function files.remove_store(path)
  for _, suffix in ipairs{ "", "-lock", "-journal" } do os.remove(path .. suffix) end
end

return files
