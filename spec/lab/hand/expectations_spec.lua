local by_hand = require "spec.support.by_hand"

local UP <const> = "within 1s leader\nname boss leader\nname one follower\nsubmit a b\nrun 200ms\n"

-- Each holds, or does not, after those lines.
local function expects(lines, expectation)
  local verdict = by_hand.run(by_hand.RAFT .. lines .. "expect " .. expectation .. "\n")
  assert(not verdict or verdict.kind == "expectation_failed", tostring(verdict))
  return verdict == nil, verdict and verdict.message
end

describe("what is expected", function()
  for _, case in ipairs{
    { "", "no leader", true }, { "", "leader", false }, { "", "verdict", false },
    { UP, "leader", true }, { UP, "leader boss", true }, { UP, "leader one", false },
    { UP, "leader among one", false }, { UP, "leader boss among boss one", true },
    { UP, "no leader", false }, { UP, "no leader among one", true },
    { UP .. "crash boss\n", "no leader", true }, { UP .. "crash *\n", "leader", false },
    { UP, "term 1", true }, { UP, "term 2", false }, { UP, "term 1 boss one", true },
    { UP .. "crash *\n", "term 1", false }, { UP, "same term", true },
    { UP .. "isolate boss\nrun 1s\n", "same term", false },
    { UP, "state boss role=leader term=1", true }, { UP, "state boss role=follower", false },
    { UP, "state boss nothing=1", false }, { UP .. "crash one\n", "state one role=x", false },
    { UP, "log equal", true }, { UP .. "isolate one\nsubmit c\n", "log equal", false },
    { UP .. "isolate one\nsubmit c\n", "log equal one", true },
    { UP .. "crash *\n", "log equal", false },
    { UP, "committed 2", true }, { UP, "committed 3", false }, { UP, "committed 2 boss", true },
    { UP .. "isolate one\nsubmit c\n", "committed 2", false },
    { UP .. "isolate one\nsubmit c\n", "committed 3 leader", true },
    { UP .. "crash one\nrestart one\nrun 1s\n", "committed 2 one", true },
    { UP .. "crash *\n", "committed 2", false },
    { UP, "answer", true }, { UP, "answer results=1,2", true }, { UP, "answer results=1", false },
    { UP .. "submit c\n", "answer results=3", true }, { UP, "no answer", false },
    { UP .. "crash *\nsubmit c\n", "no answer", true }, { "", "no answer", true },
  } do
    local lines, expectation, holds = table.unpack(case)
    it(("%s: %s %s"):format(lines:gsub(UP, "up "):gsub("\n", "; "), expectation,
      holds and "holds" or "does not hold"), function()
      local seen, message = expects(lines, expectation)
      assert.equal(holds, seen, message)
    end)
  end

  it("is said when it is not so", function()
    local _, message = expects(UP, "committed 3")
    assert.matches("expect committed 3: n1 has committed 2, n2 has committed 2, n3 has", message)
    _, message = expects(UP .. "isolate one\nsubmit c\n", "log equal")
    assert.matches("log equal: those of n%d and n%d differ", message)
  end)

  it("comes in time, or not", function()
    local verdict = by_hand.run(by_hand.RAFT .. "within 1s leader\n")
    assert.is_nil(verdict)
    verdict = by_hand.run(by_hand.RAFT .. "within 10ms leader\n")
    assert.matches("within 10ms leader: nobody leads", verdict.message)
    assert.equal(10000, verdict.time_us)
  end)
end)
