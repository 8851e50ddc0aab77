local junit = require "jangada.lab.campaign.junit"
local tallies = require "jangada.lab.campaign.tally"

local function format(results)
  local tally = tallies.new()
  for _, result in ipairs(results) do tally:add(result) end
  return junit.format(tally, {scenario = "a<b>.lua", seconds = 1.5})
end

describe("the JUnit file of a campaign", function()
  it("has a test case for each seed", function()
    assert.equal([[
<?xml version="1.0" encoding="UTF-8"?>
<testsuite name="a&lt;b&gt;.lua" tests="4" failures="1" errors="1" skipped="0" time="1.500">
  <testcase classname="a&lt;b&gt;.lua" name="seed 3">
    <failure type="invariant_violated log_matching" message="n1 &amp; n2">n1 &amp; n2
again: jangada lab run a&lt;b&gt;.lua --seed 3</failure>
  </testcase>
  <testcase classname="a&lt;b&gt;.lua" name="seed 4">
    <error type="time_exceeded" message="too &quot;long&quot;">where
again: jangada lab run a&lt;b&gt;.lua --seed 4</error>
  </testcase>
  <testcase classname="a&lt;b&gt;.lua" name="seed 1"/>
  <testcase classname="a&lt;b&gt;.lua" name="seed 2"/>
</testsuite>
]], format{{seed = 2}, {seed = 4, verdict = {kind = "time_exceeded", message = 'too "long"',
      traceback = "where"}}, {seed = 1},
      {seed = 3, verdict = {kind = "invariant_violated", name = "log_matching",
        message = "n1 & n2"}}})
  end)

  it("is XML whatever a message holds", function()
    local bytes = "\0\1\27[1m\xff\n\t\xef\xbf\xbe"
    local text = format{{seed = 1, verdict = {kind = "x", message = bytes}}}
    assert.is_nil(text:find("[\0-\8\11\12\14-\31\x80-\xff]"))
    local kept = format{{seed = 1, verdict = {kind = "x", message = "é\n"}}}
    assert.matches("é\n", kept, 1, true)
  end)
end)
