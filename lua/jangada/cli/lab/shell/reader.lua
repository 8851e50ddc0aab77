--- Where the lines of a shell come from: a terminal, with history and completion if lua-readline is
--- there, or a file or pipe, without prompts.

local reader = {}

---@class jangada.cli.Reader
---@field is_terminal boolean
---@field hint string|nil what the terminal lacks
---@field read fun(self, prompt: string): string|nil a line; nil at the end
---@field close fun(self)

local HISTORY_LINES <const> = 1000

local function plain()
  return { is_terminal = false, read = function() return io.read("l") end, close = function() end }
end

local function simple_terminal()
  return {
    is_terminal = true,
    hint = "for history and completion: apt-get install lua-readline, or rlwrap",
    read = function(_, prompt)
      io.write(prompt)
      io.flush()
      local line = io.read("l")
      if not line then io.write("\n") end
      return line
    end,
    close = function() end,
  }
end

-- What readline is given: the words that begin as the one at the cursor does.
local function completer(candidates)
  return function(line, from, to)
    local ok, words = pcall(candidates, line:sub(1, from - 1))
    local begun, matches = line:sub(from, to), {}
    for _, word in ipairs(ok and words or {}) do
      if word:sub(1, #begun) == begun then matches[#matches + 1] = word end
    end
    return matches
  end
end

local function with_readline(readline, candidates)
  local home = os.getenv("HOME")
  readline.set_options{ histfile = home and home .. "/.jangada_history" or "",
    keeplines = HISTORY_LINES }
  readline.set_complete_function(completer(candidates))
  return {
    is_terminal = true,
    read = function(_, prompt) return readline.readline(prompt) end,
    close = function() readline.save_history() end,
  }
end

--- The reader of standard input.
---@param candidates fun(before: string): string[] what the word behind a part of a line can be
---@return jangada.cli.Reader
function reader.new(candidates)
  if os.execute("test -t 0") ~= true then return plain() end
  local ok, readline = pcall(require, "readline")
  return ok and with_readline(readline, candidates) or simple_terminal()
end

return reader
