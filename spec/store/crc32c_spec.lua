local store = require "jangada.store"

-- Bit by bit, as the polynomial is divided (RFC 3720, B.4).
local function divide(bytes)
  local rest = 0xffffffff
  for i = 1, #bytes do
    rest = rest ~ bytes:byte(i)
    for _ = 1, 8 do rest = rest & 1 == 1 and (rest >> 1) ~ 0x82f63b78 or rest >> 1 end
  end
  return rest ~ 0xffffffff
end

describe("store.crc32c", function()
  it("gives the sums of RFC 3720, B.4", function()
    assert.equal(0x8a9136aa, store.crc32c(("\0"):rep(32)))
    assert.equal(0x62a8ab43, store.crc32c(("\xff"):rep(32)))
    local rising = {}
    for i = 0, 31 do rising[#rising + 1] = string.char(i) end
    assert.equal(0x46dd794e, store.crc32c(table.concat(rising)))
    assert.equal(0xe3069283, store.crc32c("123456789"))
    assert.equal(0, store.crc32c(""))
  end)

  it("is the remainder of a division, for bytes of any number", function()
    local seed = os.time()
    math.randomseed(seed)
    local bytes = {}
    for i = 1, 7000 do bytes[i] = string.char(math.random(0, 255)) end
    bytes = table.concat(bytes)
    local function check(first, size)
      local part = bytes:sub(first, first + size - 1)
      assert.equal(divide(part), store.crc32c(part), ("seed %d, %d bytes"):format(seed, size))
    end
    for size = 0, 520 do check(1 + size % 8, size) end -- in lengths below and above two stretches
    for _, size in ipairs{ 3071, 3072, 3073, 3311, 3312, 3313, 6144, 6384, 6999 } do
      check(2, size)
    end
  end)
end)
