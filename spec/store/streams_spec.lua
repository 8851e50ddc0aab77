local store = require "jangada.store"

local streams = store.streams

-- A pipe whose other end a shell writes to.
local function from(script)
  return assert(io.popen(script))
end

local function quiet_wait(pipe, ms)
  local text
  repeat text = streams.read(pipe, 100, ms) until text ~= nil
  return text
end

describe("streams.read", function()
  it("gives what is there, and does not wait for more", function()
    local pipe <close> = from("printf one; sleep 0.3; printf two")
    assert.equal("one", quiet_wait(pipe, 5000))
    assert.is_nil(streams.read(pipe, 100, 0))
    assert.is_nil(streams.read(pipe, 100, 20))
    assert.equal("two", streams.read(pipe, 100, 20000))
    assert.equal("", streams.read(pipe, 100, -1))
    assert.equal("", streams.read(pipe, 100, 0))
  end)

  it("gives no more than it is asked for", function()
    local pipe <close> = from("printf 0123456789")
    local text = ""
    while #text < 10 do
      local part = streams.read(pipe, 3, 5000)
      assert.is_true(#part <= 3)
      text = text .. part
    end
    assert.equal("0123456789", text)
  end)

  it("reads files, and tells of what cannot be read", function()
    local file <close> = assert(io.open("LICENSE"))
    assert.equal("", (function()
      local part
      repeat part = streams.read(file, 1 << 20, 1000) until part == ""
      return part
    end)())
    local directory <close> = io.open(".")
    assert.has_error(function() streams.read(directory, 10, 0) end)
    local closed = assert(io.open("LICENSE"))
    closed:close()
    assert.error_matches(function() streams.read(closed, 10, 0) end, "closed")
    for _, arguments in ipairs{ { file, 0, 0 }, { file, (1 << 20) + 1, 0 }, { "x", 1, 1 },
      { file } } do
      assert.is_false(pcall(streams.read, table.unpack(arguments)))
    end
  end)
end)

describe("streams.wait", function()
  it("waits, and tells when nobody reads a pipe", function()
    assert.is_false(streams.wait(1))
    local reading = io.popen("sleep 0.2; exit", "w")
    assert.is_false(streams.wait(0, reading))
    assert.is_true(streams.wait(20000, reading))
    reading:close()
    assert.is_false(pcall(streams.wait, -1))
  end)
end)

describe("streams.catch", function()
  -- What a process prints that sends itself signals, and how it ends.
  local function run(source)
    local build = os.getenv("BUILD") or "build"
    local pipe <close> = assert(io.popen(("LUA_PATH='lua/?.lua;;' LUA_CPATH='%s/?.so;;' lua5.4 -e "
      .. "'local streams = require(\"jangada.store\").streams local function kill(name) "
      .. "os.execute(\"kill -\" .. name .. \" $PPID\") end %s' 2>&1; echo exit $?"):format(build,
      source)))
    return pipe:read("a")
  end

  it("notes the first signal, and lets a second one end the process", function()
    for name, number in pairs{ TERM = 15, HUP = 1 } do
      local output = run(([[
        io.stdout:setvbuf("no")
        streams.catch()
        print(streams.caught())
        kill("%s")
        print(streams.caught())
        kill("%s")
        print("still here")]]):format(name, name))
      assert.matches(("^nil\n%d\n"):format(number), output)
      assert.matches(("exit %d\n$"):format(128 + number), output)
      assert.is_nil(output:find("still", 1, true))
    end
  end)

  it("forgets when it is called again, and notes each SIGINT while it is lasting", function()
    assert.equal("2\nnil\n2\nexit 0\n", run[[
      streams.catch()
      io.popen("kill -INT $PPID"):close()
      print(streams.caught())
      streams.catch()
      print(streams.caught())
      io.popen("kill -INT $PPID"):close()
      print(streams.caught())]])
    assert.equal("2\nexit 0\n", run[[
      streams.catch(true)
      io.popen("kill -INT $PPID"):close()
      io.popen("kill -INT $PPID"):close()
      print(streams.caught())]])
  end)

  it("wakes who waits or reads", function()
    local output = run[[
      streams.catch()
      os.execute("(sleep 0.2; kill -TERM $PPID) &")
      local began = os.time()
      streams.wait(20000)
      print(streams.caught(), os.time() - began < 10)]]
    assert.equal("15\ttrue\nexit 0\n", output)
    output = run[[
      streams.catch()
      local pipe = io.popen("sleep 1")
      os.execute("(sleep 0.2; kill -INT $PPID) &")
      print(streams.read(pipe, 10, 20000), streams.caught())]]
    assert.equal("nil\t2\nexit 0\n", output)
  end)

  it("turns a pipe that nobody reads into a failed write", function()
    local output = run[[
      streams.catch()
      local pipe = io.popen("exit", "w")
      while not streams.wait(100, pipe) do end
      print(pipe:setvbuf("no"), pipe:write("x"))]]
    assert.equal("true\tnil\tBroken pipe\t32\nexit 0\n", output)
  end)
end)

describe("streams.poll", function()
  it("tells which of several can be read, and waits until one can", function()
    local late <close> = from("sleep 0.3; echo late")
    local early <close> = from("echo early")
    local ready
    repeat ready = streams.poll({ late, early }, 5000) until #ready > 0
    assert.same({ 2 }, ready)
    assert.equal("early\n", streams.read(early, 100, 0))
    assert.same({}, streams.poll({ late }, 0))
    repeat ready = streams.poll({ late }, 20000) until #ready > 0
    assert.same({ 1 }, ready)
    assert.same({}, streams.poll({}, 1))
    for _, arguments in ipairs{ { { "x" }, 0 }, { { late }, -1 }, { late, 0 }, { { late } } } do
      assert.is_false(pcall(streams.poll, table.unpack(arguments)))
    end
  end)
end)

describe("streams.clock", function()
  it("goes on", function()
    local before = streams.clock()
    streams.wait(5)
    assert.is_true(streams.clock() > before)
  end)
end)

describe("streams.limit", function()
  it("lets what is done in time be done, and pass on what it raises", function()
    local done = false
    assert.is_true(streams.limit(60, function() done = true end))
    assert.is_true(done)
    local ok, failure = pcall(streams.limit, 60, function() error({ code = "x" }) end)
    assert.is_false(ok)
    assert.equal("x", failure.code)
    assert.is_nil(debug.gethook())
  end)

  it("ends what is not, whatever that catches, and says where it was", function()
    local function never_ends()
      while true do
        pcall(function() while true do pcall(function() for _ = 1, 1e6 do end end) end end)
      end
    end
    local ok, where = streams.limit(0.05, never_ends)
    assert.is_false(ok)
    assert.matches("^time is up\nstack traceback:", where)
    assert.matches("streams_spec.lua", where)
    assert.is_nil(debug.gethook())
    assert.is_true(streams.limit(60, function() end))
  end)

  it("refuses what is no limit, and one within another", function()
    for _, arguments in ipairs{ { 0, print }, { -1, print }, { 0 / 0, print }, { 1 << 40, print },
      { 1 }, { 1, "x" } } do
      assert.is_false(pcall(streams.limit, table.unpack(arguments)))
    end
    local ok, message = pcall(streams.limit, 60, function() streams.limit(60, print) end)
    assert.is_false(ok)
    assert.matches("a limit already", message)
  end)

  it("ends the process by SIGALRM where Lua cannot be stopped", function()
    local pipe = assert(io.popen(("LUA_PATH='lua/?.lua;;' LUA_CPATH='%s/?.so;;' exec lua5.4 -e "
      .. "'require(\"jangada.store\").streams.limit(0.01, coroutine.wrap(function() "
      .. "while true do end end))'"):format(os.getenv("BUILD") or "build")))
    assert.same({ nil, "signal", 14 }, { pipe:close() })
  end)
end)
