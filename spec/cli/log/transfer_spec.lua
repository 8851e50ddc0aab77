local cjson = require "cjson"
local command = require "spec.support.log_command"
local logs = require "spec.support.logs"

local must, run, with = command.must, command.run, command.with

local function import(path, text, ...)
  return run({ "import", path, ... }, { input = text })
end

describe("jangada log export and import", function()
  after_each(command.clean)

  it("carry all that a log can hold, byte for byte", function()
    for _, fill in ipairs{
      command.fill,
      function(log) logs.example(log.db) end,
      function(log) log:save{ term = 2, vote = "n1" } end,
      function(log)
        log:save{ term = 4, snapshot = { index = 99, term = 3, position = 1234, info = "/s" },
          first = 100, commit = 100, entries = logs.entries_of(4, 4) }
      end,
      function(log)
        log:save{ term = math.maxinteger, entries = { { term = (1 << 53) + 1, data = "\0" } } }
      end,
    } do
      local path, copy = command.file(fill), command.path()
      local text = must{ "export", path }
      local code, output, messages = import(copy, text, "--json")
      assert.equal(0, code, messages)
      assert.equal("replog", cjson.decode(output).log[1])
      assert.is_true(text == must{ "export", copy })
      with(path, function(log)
        with(copy, function(other)
          local said, says = logs.account(log), logs.account(other)
          said.stats.compactions, says.stats.compactions = nil, nil
          assert.same(said, says)
          assert.same(log:series("cpu"), other:series("cpu"))
          assert.same({}, other:verify())
        end)
      end)
    end
  end)

  it("write lines that other programs read", function()
    local kinds = {}
    for _, line in ipairs(command.lines(must{ "export", command.file(command.fill) })) do
      local object = cjson.decode(line)
      for _, kind in ipairs{ "jangada_log", "index", "snapshot", "chunk", "stable", "sample",
        "end" } do
        if object[kind] ~= nil then kinds[kind] = (kinds[kind] or 0) + 1 end
      end
    end
    assert.same({ jangada_log = 1, index = 150, snapshot = 1, chunk = 4, stable = 2, sample = 4,
      ["end"] = 1 }, kinds)
  end)

  it("add a log to a file that has others", function()
    local path, other = command.file(command.fill), command.file()
    local text = must{ "export", path }
    local code, output = import(other, text, "--log", "groups/17")
    assert.equal(0, code)
    assert.matches("^150 entries imported, 3%.%d KiB of data\n$", output)
    assert.is_true(text == must{ "export", other, "--log", "groups/17" })
    local messages
    code, output, messages = import(other, text)
    assert.same({ 2, "" }, { code, output })
    assert.matches("the log has entries up to 9, and term 7", messages)
  end)

  it("refuse what is not all there, or is something else, and leave nothing", function()
    local lines = command.lines(must{ "export", command.file(command.fill) })
    local function without(from, to)
      local kept = {}
      for i, line in ipairs(lines) do
        if i < from or i > to then kept[#kept + 1] = line end
      end
      return table.concat(kept, "\n") .. "\n"
    end
    local function with_line(number, text)
      local copy = table.move(lines, 1, #lines, 1, {})
      copy[number] = text
      return table.concat(copy, "\n") .. "\n"
    end
    local function changed(number, from, to)
      local text, count = lines[number]:gsub(from, to)
      assert.equal(1, count, from)
      return with_line(number, text)
    end
    local existing = command.file()
    local before = must{ "export", existing }
    for message, text in pairs{
      ["ends after line 100, before the end"] = without(101, #lines),
      ["ends after line 0, before"] = "",
      ["line 7 of .*entry 157, where entry 156 is due"] = without(7, 7),
      ["150 entries were to come, and 149"] = without(151, 151),
      ["said to have 200000 bytes of data, and"] = without(153, 153),
      ["line 1 of .*begins with \"jangada_log\""] = without(1, 1),
      ["the format is 2, not 1"] = changed(1, '"jangada_log":1', '"jangada_log":2'),
      ['"term" must be an integer'] = changed(5, '"term":2', '"term":2.5'),
      ['"data" must be a string'] = changed(5, '"data":', '"dtaa":'),
      ["line 5, column %d+: "] = changed(5, ',"term"', ' "term"'),
      ["line 9, column 1: a number that cannot be kept"] = with_line(9, "!"),
      ["line 9 of .*it is no object"] = with_line(9, "7"),
      ["line 9 of .*no line of an export"] = with_line(9, '{"what":"ever"}'),
      ["entry %d+ has term 1, the entry before it term 2"] = changed(5, '"term":2', '"term":1'),
      ["commit 999 is past the last entry 300"] = changed(1, '"commit":250', '"commit":999'),
      ["stands behind the end"] = without(0, 0) .. lines[2] .. "\n",
      ["a chunk without a snapshot"] = without(152, 152),
    } do
      for _, path in ipairs{ command.path(), existing } do
        local code, output, messages = import(path, text, "--log", "new")
        assert.same({ 2, "" }, { code, output }, message)
        assert.matches(message, messages)
        if path ~= existing then assert.is_nil(io.open(path)) end
      end
    end
    assert.equal(before, must{ "export", existing })
    assert.equal(1, #command.lines(must{ "list", existing, "--json" }))
  end)
end)
