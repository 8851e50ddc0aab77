local errors = require "jangada.errors"
local faults = require "jangada.lab.faults"
local fresh = require "spec.support.fresh"
local lab = require "jangada.lab"
local options = require "jangada.lab.options"
local process = require "spec.support.process"
local scenarios = require "jangada.lab.scenario"

local NAN <const>, HUGE <const> = 0 / 0, math.huge
local function fn() end
local loop = {}
loop.loop = loop

-- One of each type, and what is near to what is right.
local function others(...)
  local list = {false, true, 7, 1.5, "x", "", {}, fn, io.stdout, coroutine.create(fn)}
  local skipped = {...}
  local left = {}
  for _, value in ipairs(list) do
    local is_right = false
    for _, kind in ipairs(skipped) do
      is_right = is_right or type(value) == kind or math.type(value) == kind
    end
    if not is_right then left[#left + 1] = value end
  end
  return left
end

local function with(list, ...)
  local all = table.move(list, 1, #list, 1, {})
  return table.move({...}, 1, select("#", ...), #all + 1, all)
end

local function integers(least) -- what is no integer from `least` on
  return with(others("integer"), least - 1, math.mininteger, NAN, HUGE, "7", least + 0.5,
    least + 0.0)
end

local times = with(others("number"), -1, -HUGE, NAN, HUGE, 2e9, "7", {7})
local rates = with(others("number"), 7, -0.1, 1.1, NAN, HUGE, "0.5")
local laws = with(others(), {1}, {5, 1}, {1, 2, 3}, {"normal", 1, 2}, {-1, 5}, {1, NAN}, {1, HUGE},
  {"constant"}, {"constant", "x"}, {"long_tail", 0, 5}, {{}, {}})
local tables = others("table")
local switches = others("boolean")
local functions = others("function")

-- Every option, and what it must not be.
local WRONG <const> = {
  ["lab.new"] = {
    seed = with(others("integer"), NAN, "7", 7.0), nodes = with(integers(1), 65),
    protocol = with(others("string"), {source = 7}, {source = "x", name = 7}, {name = "x"},
      {source = "x", nam = "x"}, "", "no.such", "/no/such.lua"),
    options = with(tables, {fn}, {loop}), network = with(tables, {7}, {lose = 0.1}),
    durability = with(others(), "Journal", {"journal"}),
    directory = with(others("string"), "", "/tmp\0x"), disk = with(tables, {7}, {flush = {1, 2}}),
    faults = with(others("table"), {7}, {[2] = {at_ms = 1, kind = "fifo"}}, {kind = "crash"},
      {duration = 3000}, {{}}, {{at_ms = 1, kind = "fifo"}, duration_ms = 5}),
    clients = with(others("table"), {7}, {{}}, {fn, nil, fn}, {client = fn}, {{start = 7}}, {"x"}),
    invariants = with(others("table"), {7}, {"none"}, {{}}, {{name = "x"}}, {{name = 7, turn = fn}},
      {{name = "x", turn = 7}}, {{name = "x", turn = fn, finish = {}}}, {raft = true}),
    observe = functions, choose = functions,
    events_max = integers(1), queue_max = integers(1), messages_max = integers(1),
    memory_max = with(others("number"), 0, -1, NAN, "7"),
    requests_max = integers(0), operations_max = integers(0), maybe_rate = rates,
    hopeless = switches, liveness = with(others(), {bound = 7}),
    draws = with(tables, {7}, {n9 = {1}}, {n1 = 7}, {n1 = {-1}}, {n1 = {[0] = 1}}, {n1 = {x = 1}},
      {n1 = {1.5}}, {usual = 2}, {usual = "x"}),
  },
  network = {
    delay_ms = laws, loss = rates, duplication = rates, corruption = rates, fifo = switches,
    fates = with(others("table"), {7}, {{}}, {{from = "n1"}}, {x = {}}, {{from = "n1", to = 7}},
      {{from = "n1", to = "n2", lose = {1}}}, {{from = "n1", to = "n2", lost = 7}},
      {{from = "n1", to = "n2", lost = {0}}}, {{from = "n1", to = "n2", lost = {x = 1}}},
      {{from = "n1", to = "n2", lost = {1, 1}}}, {{from = "n1", to = "n2", delay_ms = {"x"}}},
      {{from = "n1", to = "n2", delay_ms = {{1, 2, 3}}}},
      {{from = "n1", to = "n2", delay_ms = {[1.5] = 1}}}),
  },
  disk = {flush_ms = laws},
  faults = {
    duration_ms = times,
    gap_ms = with(others(), {5}, {0, 5}, {5, 4}, {1, 2, 3}, {1, NAN}, {"x", 5}),
    kinds = with(others("table"), {"flood"}, {7}, {[2] = "crash"}, {crash = true}, {"amnesia"},
      {"crash", "crash"}),
    without = with(others("table"), {"flood"}, {7}, {crash = true}),
  },
  liveness = {bound_ms = times, after_ms = times, progress = functions},
  ["lab.stream"] = {
    commands = with(others("function", "table"), {7}, {"a", nil, "b"}, {a = "b"}, {{}}),
    batch_max = integers(1), bytes_max = integers(1), timeout_ms = times, retry_ms = times,
  },
  ["lab.kv_clients"] = {
    count = with(integers(1), 1001), keys = integers(1), operations = integers(1),
    timeout_ms = integers(1), retry_ms = integers(1), give_up_ms = integers(1),
    think_ms = integers(0), reads = rates, steps_max = integers(1),
  },
}

local idle = {name = "idle", source = "return function() end"}

local function world_with(whose)
  return function(given)
    local config = {protocol = idle}
    if whose == "lab.new" then
      for name, value in pairs(given) do config[name] = value end
    else
      config[whose] = given
    end
    lab.new(config):close()
  end
end

local makers = {["lab.stream"] = function(given)
  if given.commands == nil then given.commands = {} end
  lab.stream(given)
end, ["lab.kv_clients"] = lab.kv_clients}

-- Whether an error is about this option: by its name, or by that of one of the things in it.
local function names(name, failure)
  local message = failure.message
  return message:find(name, 1, true) or name == "protocol" and failure.code:find("^protocol_")
    or name == "faults" and message:find("^fault 1 of the plan")
    or name == "invariants" and message:find("invariant", 1, true)
end

local function refuse(whose, name, value)
  local make = makers[whose] or world_with(whose)
  local what = ("%s of %s = %s"):format(name, whose, options.show(value))
  local ok, failure = pcall(make, {[name] = value})
  assert.is_false(ok, what .. " was taken")
  assert.is_true(errors.is(failure), ("%s raised no error object: %s"):format(what,
    tostring(failure)))
  assert.is_truthy(names(name, failure), ("%s: %s"):format(what, failure.message))
end

describe("the options of the lab", function()
  after_each(fresh.clean)

  it("are refused, by an error that names them, whatever is wrong with them", function()
    for whose, of_it in pairs(WRONG) do
      for name, values in pairs(of_it) do
        for i = 1, #values do refuse(whose, name, values[i]) end
      end
    end
  end)

  it("are all tried", function()
    local function names_of(all)
      local found = {}
      for whose, of_it in pairs(all) do
        for name in pairs(of_it) do found[#found + 1] = whose .. " " .. name end
      end
      table.sort(found)
      return found
    end
    assert.same(names_of(lab.options), names_of(WRONG))
  end)

  it("are refused when there is none of that name", function()
    for whose in pairs(WRONG) do
      local make = makers[whose] or world_with(whose)
      for _, name in ipairs{"no_such", 7, true} do
        local message = fresh.raises("option_unknown", make, {[name] = 1, duration_ms = 5})
        assert.is_truthy(message:find("has no option", 1, true), message)
      end
    end
  end)

  it("are a table", function()
    for _, make in ipairs{lab.new, lab.stream, lab.kv_clients} do
      for _, value in ipairs(with(others("table"), nil)) do
        assert.matches("are a table, not", fresh.raises("option_invalid", make, value))
      end
    end
    for _, make in ipairs{lab.new, lab.stream} do fresh.raises("option_invalid", make) end
  end)

  it("are taken at the ends of what is right", function()
    for whose, right in pairs{
      ["lab.new"] = {{seed = math.mininteger}, {nodes = 1}, {events_max = 1}, {queue_max = 100},
        {memory_max = HUGE}, {maybe_rate = 0}, {maybe_rate = 1}, {requests_max = 0},
        {faults = {}}, {clients = {}}, {invariants = {}}, {clients = lab.kv_clients()}},
      network = {{delay_ms = {0, 0}}, {loss = 1}, {fifo = true}, {fates = {}}},
      faults = {{kinds = {}}, {duration_ms = 0}, {kinds = {"crash"}, without = {"crash"}}},
      ["lab.stream"] = {{commands = {}}, {commands = fn, timeout_ms = 0.5, batch_max = 1}},
      ["lab.kv_clients"] = {{count = 1, think_ms = 0}},
    } do
      for _, given in ipairs(right) do (makers[whose] or world_with(whose))(given) end
    end
  end)
end)

describe("the fields of a fault", function()
  it("are refused, by an error that names the fault and the field", function()
    local right = { -- by what a field is
      node = "n1", nodes = {"n1", "n2"}, groups = {{"n1"}}, rate = 0.5, law = {1, 5}, time = 5,
      shift = 5, clock_rate = 1, pace = 5, disk_call = "write", disk_error = "EIO",
    }
    local tried = 0
    for _, kind in ipairs(faults.kinds) do
      local fields = faults.fields(kind)
      for name, its in pairs(fields) do
        for _, value in ipairs{false, {}, fn, -1.5, NAN, 99, "\0", {{{}}}} do
          local fault = {at_ms = 1, kind = kind}
          for field, rule in pairs(fields) do fault[field] = right[rule] end
          fault[name] = value
          local is_right = its == "groups" and type(value) == "table" and #value == 0
            or its:find("^nodes") and value == "\0" -- the name of a client that may come
            or its == "shift" and (value == -1.5 or value == 99)
            or value == 99 and (its == "time" or its == "pace"
              or its == "index?" or its == "count?")
          if not is_right then
            local message = fresh.raises("option_invalid", function()
              lab.new{protocol = idle, hopeless = true, faults = {fault}}:close()
            end)
            assert.matches("^fault 1 of the plan, of kind " .. kind .. ": its " .. name, message)
            tried = tried + 1
          end
        end
      end
    end
    assert.is_true(tried > 100, tried)
  end)

  it("are those of their kind, at a time that there is", function()
    for _, fault in ipairs{{at_ms = "x", kind = "fifo"}, {at_ms = NAN, kind = "fifo"},
      {kind = "fifo"}, {at_ms = 1, kind = "fifo", for_ms = -1}, {at_ms = 1, kind = fn},
      {at_ms = 1, kind = "bit_rot", node = 1, for_ms = 5}} do
      assert.matches("^fault 1 of the plan", fresh.raises("option_invalid", lab.new,
        {protocol = idle, faults = {fault}}))
    end
  end)
end)

describe("a duration for which more faults would be drawn than there may be", function()
  it("is refused #slow", function()
    fresh.raises("option_invalid", lab.new, {protocol = idle, seed = 2,
      faults = {duration_ms = 1e9, kinds = {"crash", "pause", "loss", "fifo"}, gap_ms = {1, 1}}})
  end)
end)

describe("what a scenario has besides", function()
  it("is refused, by an error that names it", function()
    local path = process.directory() .. "/scenario.lua"
    for name, values in pairs{
      duration_ms = {"'x'", "-1", "0/0", "1/0", "{}", "true"}, script = {"7", "{}", "true"},
      marks = {"'x'", "{7}", "{a = 'b'}"}, abstract = {"7", "{}"},
      explore = {"7", "{depht = 5}", "{depth = -1}", "{depth = 'x'}", "{sleep = 7}"},
    } do
      for _, value in ipairs(values) do
        process.write(path, ("return {%s = %s}"):format(name, value))
        local one = scenarios.load(path)
        assert.matches("scenario.lua: " .. name, fresh.raises("input_invalid", one.case, one))
      end
    end
  end)
end)

describe("a client", function()
  it("is told what is wrong with the arguments it gives", function()
    local world <close> = lab.new{protocol = idle}
    local client = world:client("c1")
    local body = {type = "ask"}
    for _, ms in ipairs{"x", -1, NAN, HUGE, {}, false} do
      fresh.raises("delay_invalid", client.request, client, "n1", body, ms, fn)
      fresh.raises("delay_invalid", client.after, client, ms, fn)
      fresh.raises("delay_invalid", world.after, world, ms, fn)
    end
    fresh.raises("argument_invalid", client.request, client, "n1", body, 5, 7)
    fresh.raises("argument_invalid", client.after, client, 5)
    fresh.raises("argument_invalid", world.after, world, 5, "x")
    fresh.raises("argument_invalid", client.on, client, "x", 7)
    fresh.raises("argument_invalid", client.on, client, nil, fn)
    fresh.raises("argument_invalid", client.acknowledged, client, 7)
    fresh.raises("option_invalid", world.watch, world, 7)
    assert.equal(0, client.requests)
  end)

  it("whose commands are no texts is refused when they come", function()
    local stream = lab.stream{commands = function() return 7 end}
    local ok, failure = pcall(lab.new, {protocol = idle, clients = {stream}})
    assert.is_false(ok)
    assert.matches("commands of lab.stream are texts; command 1 is 7", failure.message)
  end)
end)
