local by_hand = require "spec.support.by_hand"
local hands = require "jangada.lab.hand"
local lab = require "jangada.lab"

-- Performs lines in a world of their own; gives the kinds of events that the last one made.
local function events_of(lines, header)
  local _, _, kinds = by_hand.run(by_hand.RAFT .. (header or "") .. lines)
  local from = 0
  for i, kind in ipairs(kinds) do
    if kind == "step" then from = i end
  end
  local last = {}
  for i = from + 1, #kinds do last[#last + 1] = kinds[i] end
  return table.concat(last, " ")
end

describe("a verb", function()
  for line, expected in pairs{
    ["crash 2"] = "crash", ["crash *"] = "crash crash crash", ["crash 2 3"] = "crash crash",
    ["crash 2\nrestart 2"] = "boot", ["pause 1"] = "pause", ["pause 1\nresume 1"] = "resume",
    ["partition 1 2 | 3"] = "partition", ["rejoin"] = "heal", ["heal"] = "heal",
    ["loss 0.5"] = "loss", ["loss"] = "loss", ["duplication 0.5"] = "duplication",
    ["corruption 0.5"] = "corruption", ["delay 5ms"] = "delay", ["delay"] = "delay",
    ["reorder 0.5 1..10ms"] = "reorder", ["reorder"] = "reorder", ["fifo on"] = "fifo",
    ["isolate 1"] = "cut", ["one_way 1 > 2"] = "cut", ["partial 1 | 2 3"] = "cut",
    ["bridge 1"] = "cut", ["bridge 1 2"] = "cut", ["ring"] = "cut", ["ring 3 2 1"] = "cut",
    ["star 2"] = "cut", ["flapping 1 10ms 5ms"] = "cut", ["slow * > 2 5ms"] = "slow",
    ["clog 1 > *"] = "clog", ["clog 1 > 2\nmend"] = "mend", ["star 1\nmend star"] = "mend",
    ["star 1\nring\nmend star 1"] = "mend", ["mend"] = "told", ["mend clog"] = "told",
    ["star 1\nmend\nmend star 1"] = "told", ["run 1ms"] = "", ["send 1 x"] = "request send",
    ["start 1 a"] = "request send", ["crash *\nstart leader a"] = "told",
    ["crash *\nisolate leader"] = "told", ["fire 1"] = "send send timer state",
    ["crash *\nfire leader"] = "told", ["name x 1"] = "told",
    ["fire 1\ndrop 1"] = "drop told", ["deliver 9"] = "told",
    ["fire 1\ndeliver 1 > 2 request_pre_vote"] = "deliver send told",
    ["pause *\nstep"] = "told", ["clock_offset 2 -50ms"] = "clock", ["clock_step 2 1s"] = "clock",
    ["clock_drift 1 2x"] = "clock", ["clock_freeze 1 2"] = "clock clock",
    ["clock_right 1"] = "clock",
  } do
    it(("does what it says: %s"):format((line:gsub("\n", "; "))), function()
      local seen = events_of(line):gsub("trace", ""):gsub("^ +", ""):gsub(" +", " ")
      assert.equal(expected, seen)
    end)
  end

  it("slows disks, where they are simulated", function()
    local header = "durability journal\ndisk flush=1ms\n"
    assert.equal("slow_disk", events_of("slow_disk 2 5ms", header))
    assert.equal("slow_disk slow_disk slow_disk", events_of("slow_disk *", header))
    assert.equal("failing_disk", events_of("fail_disk 2 flush ENOSPC", header))
    assert.matches("boot", events_of("fail_disk 2\nrun 1s\nmend_disk 2", header))
    assert.equal("told", events_of("mend_disk 2", header))
    assert.equal("told", events_of("rot 1 1", header))
    assert.matches("told$", events_of("submit a\nrot leader 2", header))
    assert.matches("slow_disk 2 5ms: .*durability journal", by_hand.refused(
      by_hand.RAFT .. "durability commit\nslow_disk 2 5ms"))
  end)

  it("empties disks in hopeless worlds alone", function()
    assert.matches("wipe 2: .*hopeless = true", by_hand.refused(by_hand.RAFT .. "wipe 2"))
    local verdict = by_hand.run(by_hand.RAFT .. "hopeless on\nwithin 1s leader\nwipe 2\nrestart 2\n"
      .. "within 2s same term")
    assert.same({"term_monotonic", true}, {verdict.name, verdict.hopeless})
  end)

  it("swaps disks, and lets flushes lie, in hopeless worlds alone", function()
    assert.matches("hopeless = true", by_hand.refused(by_hand.RAFT .. "swap_disks 1 2"))
    assert.matches("hopeless = true", by_hand.refused(by_hand.RAFT .. "lying_disk 2 on"))
    assert.equal("crash crash swap", events_of("swap_disks 1 2", "hopeless on\n"))
    assert.equal("told", events_of("swap_disks 1 1", "hopeless on\n"))
    assert.equal("lying_disk lying_disk", events_of("lying_disk 1 2 on", "hopeless on\n"))
  end)

  it("crashes with so much left of what was not flushed", function()
    local header = "disk flush=constant:50ms\n"
    assert.equal("crash", events_of("crash 1 keep 1 scribbled", header))
    assert.equal("crash crash", events_of("crash 1 2 torn", header))
    assert.matches("keep", by_hand.refused(by_hand.RAFT .. "crash 1 keep"))
  end)

  it("limits what links carry", function()
    assert.equal("capacity", events_of("capacity 1 > 2 10"))
    assert.matches("mend", events_of("capacity * > 2 10 5\nmend capacity"))
  end)

  it("heals a core, and what else is wrong stays so", function()
    local verdict, told = by_hand.run(by_hand.RAFT .. "within 1s leader\ncrash *\nheal_core\n"
      .. "within 2s leader")
    assert.is_nil(verdict)
    assert.matches("heal_core\nn%d, n%d", told)
  end)

  it("mends the newest, or the one that is meant", function()
    local hand, world, perform = by_hand.hand()
    local _world <close> = world
    perform("clog 1 > 2")
    perform("clog 2 > 1")
    perform("star 1")
    perform("mend clog")
    assert.same({ false, true, false }, { not not hand.layers[1].layer.over,
      hand.layers[2].layer.over, not not hand.layers[3].layer.over })
    perform("mend clog 1")
    assert.is_true(hand.layers[1].layer.over)
    assert.equal("it was over", perform("mend clog 1"))
    perform("mend")
    assert.is_true(hand.layers[3].layer.over)
    assert.equal("there is nothing to mend", perform("mend"))
  end)

  it("takes events one by one", function()
    local _, world, perform = by_hand.hand()
    local _world <close> = world
    perform("step")
    assert.equal(1, world.events)
    perform("step 5")
    assert.equal(6, world.events)
  end)

  it("submits to whoever leads, and waits for the answer", function()
    local hand, world, perform = by_hand.hand()
    local _world <close> = world
    assert.equal("answer: number=2 results=1,2 type=submit_ok", perform('submit a "b c"'))
    assert.equal("answer: number=1 results=3 type=submit_ok", perform("submit d"))
    perform("crash 1 2")
    assert.equal("there is no answer", perform("submit e"))
    assert.is_nil(hand.answer)
  end)

  it("starts without waiting, and keeps the answer when it comes", function()
    local hand, world, perform = by_hand.hand()
    local _world <close> = world
    perform("within 1s leader")
    local events = world.events
    perform("start leader a")
    assert.equal(events, world.events)
    assert.is_nil(hand.answer)
    perform("run 100ms")
    assert.equal("submit_ok", hand.answer.type)
    perform("start follower b")
    perform("run 100ms")
    assert.same({ "error", 11 }, { hand.answer.type, hand.answer.code })
  end)

  it("asks any protocol", function()
    local case = { nodes = 1, protocol = { name = "pong", source = [[
      return function(node)
        node:on("ping", function(message)
          node:reply(message, {type = "pong", n = message.body.n + 1})
        end)
        node:on("quiet", function() end)
      end]] }, invariants = {} }
    local world <close> = lab.new(case)
    local hand = hands.new(world)
    local function perform(line) hand:perform((assert(hands.read(line, hand:scope())))) end
    perform("request 1 ping n=4")
    assert.equal(5, hand.answer.n)
    perform("expect answer type=pong n=5")
    perform("request 1 quiet")
    perform("expect no answer")
    assert.is_nil(world.verdict)
  end)

  it("has help, and what it takes can be read", function()
    for name, verb in pairs(hands.verbs) do
      assert.equal(name, verb.name)
      assert.matches("^%l.*[^.]$", verb.does)
      assert.truthy(verb.family)
      hands.read(name, { nodes = 1, names = {} }) -- raises if the pattern is wrong
    end
  end)
end)
