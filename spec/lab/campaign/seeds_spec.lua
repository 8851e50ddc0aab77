local errors = require "jangada.errors"
local seeds = require "jangada.lab.campaign.seeds"

local function all(text, shard)
  local list = {}
  for seed in seeds.parse(text, shard):each() do list[#list + 1] = seed end
  return list
end

describe("the seeds of a campaign", function()
  it("are ranges and single ones, each once, in order", function()
    assert.same({1, 2, 3, 4}, all("1-4"))
    assert.same({7}, all("7"))
    assert.same({1, 2, 3, 9, 10}, all("9-10,1-3,2,3"))
    assert.same({0, math.maxinteger}, all("0,9223372036854775807"))
  end)

  it("are split into shards that have no seed in common and leave none out", function()
    for n = 1, 7 do
      local together, count = {}, 0
      for i = 1, n do
        local shard = ("%d/%d"):format(i, n)
        local part = seeds.parse("3-9,20-22,40", shard)
        local list = all("3-9,20-22,40", shard)
        assert.equal(part.count, #list)
        for _, seed in ipairs(list) do
          assert.is_nil(together[seed])
          assert.is_true(part:has(seed))
          together[seed], count = true, count + 1
        end
        for seed = 0, 50 do
          local found = false
          for _, own in ipairs(list) do found = found or own == seed end
          assert.equal(found, part:has(seed))
        end
      end
      assert.equal(11, count)
    end
  end)

  it("may be millions", function()
    local many = seeds.parse("1-1000000000000", "7/9")
    local next_seed = many:each()
    assert.same({7, 16, 111111111111}, {next_seed(), next_seed(), many.count})
    assert.equal(0, seeds.parse("1-2", "3/3").count)
  end)

  it("are written so that they can be read", function()
    for _, text in ipairs{"1-4", "7", "1-3,9-10", "5,7,9-11"} do
      assert.equal(text, seeds.format(all(text)))
    end
    assert.equal("3,1-2", seeds.format{3, 1, 2})
  end)

  it("are refused when they are none", function()
    for _, case in ipairs{{""}, {"x"}, {"4-1"}, {"1-"}, {"-1"}, {"1,,2"}, {"1.5"},
      {"99999999999999999999"}, {"0-9223372036854775807"}, {"1-9", "0/3"}, {"1-9", "4/3"},
      {"1-9", "x"}, {"1-9", "1/0"}} do
      local ok, failure = pcall(seeds.parse, case[1], case[2])
      assert.is_false(ok, case[1])
      assert.is_true(errors.is(failure, "input_invalid"), tostring(failure))
    end
  end)
end)
