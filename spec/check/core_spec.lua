local check = require "jangada.check"
local histories = require "spec.support.histories"

local function failure_of(text, model)
  local result = check.run(histories.parse(text), { model = model or "register" })
  assert.equal("not_linearizable", result.verdict)
  return result.failure, result
end

-- As "f value" of each, by invocation.
local function told(operations, result)
  local texts = {}
  for i, operation in ipairs(operations) do texts[i] = result.model.describe(operation) end
  return table.concat(texts, "; ")
end

local function sources_of(failure)
  local list = {}
  for operation in pairs(failure.sources) do list[#list + 1] = operation end
  table.sort(list, function(a, b) return a.index < b.index end)
  return list
end

describe("the core of a contradiction", function()
  it("is what has no order, whatever the others did, with the source of what was seen", function()
    local lines = {}
    for i = 1, 40 do
      lines[#lines + 1] = ("%d invoke write %d; %d ok write %d; 50 invoke read; 50 ok read %d")
        :format(i, i, i, i, i)
    end
    local failure, result = failure_of(table.concat(lines, ";") .. "; 7 invoke read; 7 ok read 39")
    assert.equal("write 40; read → 39", told(failure.core, result))
    assert.equal("write 39", told(sources_of(failure), result))
  end)

  it("keeps whatever else could explain what was seen", function()
    -- write 1 of process 1 may come after write 2, unless 2 was read after it
    local failure, result = failure_of([[
      0 invoke write 1
      0 ok write 1
      1 invoke write 1
      2 invoke write 2
      1 ok write 1
      2 ok write 2
      3 invoke read
      3 ok read 2
      4 invoke read
      4 ok read 1]])
    assert.equal("read → 2; read → 1", told(failure.core, result))
    assert.equal("write 1; write 1", told(sources_of(failure), result))
  end)

  it("keeps an operation of unknown outcome if the rest is strange without it", function()
    local failure, result = failure_of([[
      0 invoke write 1
      0 info write 1
      1 invoke read
      1 ok read 1
      2 invoke write 2
      2 ok write 2
      3 invoke write 3
      3 info write 3
      1 invoke read
      1 ok read 1]])
    assert.equal("write 1; read → 1; write 2; read → 1", told(failure.core, result))
  end)

  it("of a text that lost a part is that part and who missed it", function()
    local failure, result = failure_of([[
      0 invoke append a
      0 ok append a
      1 invoke append b
      1 ok append b
      2 invoke append c
      2 ok append c
      3 invoke get
      3 ok get ac]], "kv")
    assert.equal('append "b"; get → "ac"', told(failure.core, result))
  end)

  it("is looked for only if that is wanted", function()
    local result = check.run(histories.parse("0 invoke read; 0 ok read 1"), { model = "register",
      core = false })
    assert.is_nil(result.failure.core)
    assert.truthy(check.explain(result):find("no order explains", 1, true))
  end)
end)

describe("the operation that cannot be placed", function()
  it("is the first one, although reads that come later are looked at", function()
    -- get "ax" is impossible already; so is get "b", later
    local failure = failure_of([[
      0 invoke append a
      1 invoke append b
      0 ok append a
      1 ok append b
      2 invoke get
      2 ok get ax
      3 invoke get
      3 ok get b]], "kv")
    assert.equal(2, failure.operation.process)
    -- and get "ab" is possible, get "ba" after it is not
    local second = failure_of([[
      0 invoke append a
      1 invoke append b
      0 ok append a
      1 ok append b
      2 invoke get
      2 ok get ab
      3 invoke get
      3 ok get ba]], "kv")
    assert.equal(3, second.operation.process)
    assert.equal('"ab"', second.endings[1].state:gsub("^'(.*)$", '"%1"'))
  end)
end)
