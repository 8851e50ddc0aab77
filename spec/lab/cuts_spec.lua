local cuts = require "jangada.lab.cuts"

local ids = {"n1", "n2", "n3", "n4", "n5"}

local function links(cut) return table.concat(cuts.list(cut), " ") end

describe("a cut", function()
  it("goes one way", function()
    assert.equal("n1>n2 n1>n3", links(cuts.one_way({"n1"}, {"n1", "n2", "n3"})))
  end)

  it("is partial: two do not reach each other", function()
    assert.equal("n1>n2 n2>n1", links(cuts.partial({"n1"}, {"n2"})))
  end)

  it("isolates one from everybody, clients too", function()
    assert.equal("c1>n2 n1>n2 n2>c1 n2>n1", links(cuts.isolate("n2", {"n1", "n2", "c1"})))
  end)

  it("leaves a bridge between two sides", function()
    assert.equal("n1>n4 n1>n5 n2>n4 n2>n5 n4>n1 n4>n2 n5>n1 n5>n2",
      links(cuts.bridge("n3", nil, ids)))
    assert.equal("n1>n2 n1>n3 n1>n4 n2>n1 n3>n1 n4>n1", links(cuts.bridge("n5", {"n5", "n1"}, ids)))
  end)

  it("leaves a ring, in which each reaches two", function()
    assert.equal("n1>n3 n1>n4 n2>n4 n2>n5 n3>n1 n3>n5 n4>n1 n4>n2 n5>n2 n5>n3",
      links(cuts.ring(ids)))
    assert.equal("n1>n2 n2>n1 n3>n4 n4>n3", links(cuts.ring{"n1", "n3", "n2", "n4"}))
    assert.equal("", links(cuts.ring{"n1", "n2", "n3"}))
    assert.equal("", links(cuts.ring{"n1"}))
  end)

  it("leaves a star, in which all reach one", function()
    assert.equal("n1>n3 n3>n1", links(cuts.star("n2", {"n1", "n2", "n3"})))
  end)
end)
