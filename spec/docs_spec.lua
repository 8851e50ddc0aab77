-- Every Lua example of the README and of docs/ runs, in a process and a directory of its own, and
-- prints what its comments say ("--> text"). Those of the tutorial are pieces: tutorial_spec.lua.

local function lines_of(command)
  local pipe <close> = assert(io.popen(command))
  local lines = {}
  for line in pipe:lines() do lines[#lines + 1] = line end
  return lines, pipe:close()
end

local function examples_of(path)
  local file <close> = assert(io.open(path))
  local examples, current, number = {}, nil, 0
  for line in file:lines() do
    number = number + 1
    if line == "```lua" then
      current = { line = number, text = {} }
    elseif line == "```" and current then
      examples[#examples + 1], current = current, nil
    elseif current then
      table.insert(current.text, line)
    end
  end
  assert(not current, path .. ": an example does not end")
  return examples
end

local function expected_output(text)
  local expected = {}
  for _, line in ipairs(text) do
    local promised = line:match("%-%->%s*(.*)$")
    if promised then expected[#expected + 1] = (promised:gsub("%s+", " ")) end
  end
  return expected
end

local root = lines_of("pwd")[1]
local build = os.getenv("BUILD") or "build"
if build:sub(1, 1) ~= "/" then build = root .. "/" .. build end

local function run(text)
  local directory = lines_of("mktemp -d")[1]
  local path = directory .. "/example.lua"
  local file <close> = assert(io.open(path, "w"))
  file:write(table.concat(text, "\n"))
  file:close()
  local output = lines_of(("cd %s && LUA_PATH='%s/lua/?.lua;%s/lua/?/init.lua;;' "
    .. "LUA_CPATH='%s/?.so;;' lua5.4 example.lua 2>&1; echo exit $?"):format(directory, root, root,
    build))
  os.execute("rm -r " .. directory)
  return table.remove(output), output
end

local documents = lines_of("ls README.md docs/*.md 2>/dev/null | grep -v tutorial.md")

describe("the documents", function()
  for _, path in ipairs(documents) do
    for _, example in ipairs(examples_of(path)) do
      it(("%s:%d runs and prints what it says"):format(path, example.line), function()
        local exit, output = run(example.text)
        assert.equal("exit 0", exit, table.concat(output, "\n"))
        for i, promised in ipairs(expected_output(example.text)) do
          -- "the same..." and the like describe what cannot be written down
          if not promised:find("^the ") then
            assert.equal(promised, ((output[i] or "nothing"):gsub("%s+", " ")))
          end
        end
      end)
    end
  end

  it("link to files that exist", function()
    for _, path in ipairs(documents) do
      local file <close> = assert(io.open(path))
      local directory = path:match("^(.*/)") or ""
      for target in file:read("a"):gmatch("%]%(([^)#]+)[^)]*%)") do
        if not target:find("^https?:") then
          local found <close> = io.open(directory .. target)
          assert(found, ("%s links to %s"):format(path, target))
        end
      end
    end
  end)
end)
