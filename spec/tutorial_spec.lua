-- docs/tutorial.md and the files of examples/tutorial say the same, and its commands give what it
-- shows.

local build = os.getenv("BUILD") or "build"

local function read(path)
  local file <close> = assert(io.open(path))
  return file:read("a")
end

local function run(arguments)
  local pipe <close> = assert(io.popen(("LUA_PATH='lua/?.lua;lua/?/init.lua;;' "
    .. "LUA_CPATH='%s/?.so;;' lua5.4 bin/jangada %s 2>&1"):format(build, arguments)))
  local text = pipe:read("a")
  local _, _, code = pipe:close()
  return text, code
end

local page = read("docs/tutorial.md")

-- The block without a language that has this text in it.
local function block_with(words)
  local block, is_code
  for line in page:gmatch("([^\n]*)\n") do
    if line:find("^```") then
      if block and is_code and block:find(words, 1, true) then return block end
      is_code, block = not block and line == "```", not block and "" or nil
    elseif block then
      block = block .. line .. "\n"
    end
  end
  error("no block has " .. words)
end

-- The blocks of Lua under a heading, one after the other.
local function pieces_of(heading)
  local from = assert(page:find("\n## " .. heading, 1, true))
  local part, pieces = page:sub(from, (page:find("\n## ", from + 1, true))), {}
  for piece in part:gmatch("```lua\n(.-)```\n") do pieces[#pieces + 1] = piece end
  return table.concat(pieces)
end

local function has_all(text, block)
  for line in block:gmatch("[^\n]+") do
    if not line:find("^%s*%.%.%.$") then assert.is_truthy(text:find(line, 1, true), line) end
  end
end

describe("docs/tutorial.md", function()
  it("builds the files that there are, piece by piece", function()
    assert.equal(read("examples/tutorial/quorum.lua"), pieces_of("The node"))
    assert.equal(read("examples/tutorial/quorum_scenario.lua"),
      pieces_of("Clients, faults, and a judge"))
  end)

  it("mends the file that there is", function()
    local register = read("examples/tutorial/register.lua")
    assert.is_truthy(register:find(block_with("set(newest"), 1, true))
    local draft = pieces_of("The node"):match('  node:on%("read".-\n  end%)\n')
    assert.is_nil(register:find(draft, 1, true))
  end)

  it("has a first run without a violation", function()
    local text, code = run("lab run examples/tutorial/quorum_scenario.lua --seed 1")
    assert.equal(0, code)
    assert.is_truthy(text:find("no violation", 1, true))
  end)

  it("shows the seed that fails, and a history that has no order", function()
    local text, code = run("lab run examples/tutorial/quorum_scenario.lua --seed 172")
    assert.equal(1, code)
    has_all(text, block_with("have no order"))
  end)

  it("shows how small the run becomes, in a file that runs", function()
    local path = os.tmpname()
    local text, code = run("lab shrink examples/tutorial/quorum_scenario.lua --seed 172 --output "
      .. path)
    assert.equal(0, code, text)
    has_all(text, block_with("before  3 nodes"))
    has_all(text, block_with("PARTITION"))
    assert.is_truthy(loadfile(path))
    os.remove(path)
  end)

  it("shows the shortest way to the mistake #slow", function()
    local text, code = run("lab explore examples/tutorial/quorum_small.lua")
    assert.equal(1, code)
    has_all(text, block_with("deliver   n3>c2 read_ok"))
  end)

  it("shows how many seeds fail before it is mended, and that none does after it #slow", function()
    has_all((run("lab campaign examples/tutorial/quorum_scenario.lua --seeds 160-180")),
      "VIOLATION invariant_violated (linearizable), 1 seed: 172")
    local text, code = run("lab campaign examples/tutorial/scenario.lua --seeds 1-600")
    assert.equal(0, code, text)
  end)
end)
