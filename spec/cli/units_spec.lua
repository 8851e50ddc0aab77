local units = require "jangada.cli.units"

describe("units", function()
  it("write sizes as people read them", function()
    for bytes, text in pairs{ [0] = "0 bytes", [1] = "1 byte", [1023] = "1023 bytes",
      [1024] = "1 KiB", [1536] = "1.5 KiB", [1 << 20] = "1 MiB", [(1 << 20) - 1] = "1 MiB",
      [1 << 40] = "1 TiB", [1 << 62] = "4096 PiB" } do
      assert.equal(text, units.size(bytes))
    end
  end)

  it("count in the singular and the plural", function()
    assert.equal("1 page", units.count(1, "page"))
    assert.equal("1,200 pages", units.count(1200, "page"))
    assert.equal("0 entries", units.count(0, "entry", "entries"))
  end)
end)
