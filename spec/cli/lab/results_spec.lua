local command = require "spec.support.lab_command"
local results = require "jangada.cli.lab.results"

local function file()
  return command.directory() .. "/r.jsonl"
end

local function line(seed, kind)
  return kind and ('{"seed":%d,"verdict":{"kind":"%s"}}'):format(seed, kind)
    or ('{"seed":%d,"verdict":null}'):format(seed)
end

-- What plan says of a file with those lines, for a campaign of `code`.
local function plan(first, lines, code, is_again)
  local path = file()
  local header = results.header("s.lua", "old")
  header.first = first
  results.write(path, header, {})
  do
    local appender <close> = results.append(path)
    for _, text in ipairs(lines) do appender:add(text) end
  end
  local before, by_seed = results.read(path)
  local kept, ahead = results.plan(results.header("s.lua", code), before, by_seed, is_again)
  local seeds = {}
  for seed in pairs(kept) do seeds[#seeds + 1] = seed end
  table.sort(seeds)
  return seeds, ahead
end

describe("a file of results", function()
  it("is not there at first", function()
    local header, by_seed = results.read(file())
    assert.is_nil(header)
    assert.same({}, by_seed)
    assert.same({{}, {}}, {results.plan(results.header("s.lua", "c"), nil, {}, false)})
  end)

  it("is read as it was written, the last line of a seed counting", function()
    local path = file()
    local header = results.header("s.lua", "c", 700)
    header.first = {3, 1}
    results.write(path, header, {[2] = {line = line(2)}, [1] = {line = line(1, "wrong")}})
    assert.same({1, 2}, {command.objects(path)[2].seed, command.objects(path)[3].seed})
    local appender = results.append(path)
    appender:add(line(1))
    appender:close()
    local read, by_seed, is_whole = results.read(path)
    assert.is_true(results.are_one(header, read))
    assert.is_true(is_whole)
    command.write(path, command.read(path) .. "{")
    assert.is_false((select(3, results.read(path))))
    assert.same({3, 1}, read.first)
    assert.is_nil(by_seed[1].result.verdict)
    assert.equal(line(2), by_seed[2].line)
    for _, other in ipairs{results.header("s.lua", "d", 700), results.header("s.lua", "c")} do
      assert.is_false(results.are_one(header, other))
    end
  end)

  it("keeps what is known while the code is the same", function()
    local lines = {line(1), line(2, "wrong"), line(3, "time_exceeded"), line(4, "worker_died"),
      line(5, "events_exceeded")}
    local kept, first = plan({}, lines, "old")
    assert.same({1, 2, 5}, kept)
    assert.same({3, 4}, first)
    kept, first = plan({}, lines, "old", true)
    assert.same({}, kept)
    assert.same({2, 3, 4, 5}, first)
  end)

  it("remembers what failed with earlier code until it has been run", function()
    local kept, first = plan({7, 8, 9, 1}, {line(7), line(8, "wrong"), line(2)}, "old")
    assert.same({2, 7, 8}, kept)
    assert.same({1, 9}, first)
    kept, first = plan({7, 8, 9, 1}, {line(7), line(8, "wrong"), line(2)}, "new")
    assert.same({}, kept)
    assert.same({1, 8, 9}, first)
  end)
end)
