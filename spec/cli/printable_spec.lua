local printable = require "jangada.cli.printable"

describe("a printable character", function()
  it("has a shape", function()
    for _, text in ipairs{ "a", " ", "~", "é", "ß", "中", "🙂", "→" } do
      assert.is_true(printable.is_printable(utf8.codepoint(text)), text)
    end
  end)

  it("does not steer a terminal, hide or turn the line around", function()
    for _, code in ipairs{ 0, 0x1b, 0x7f, 0x9b, 0xad, 0x200b, 0x200f, 0x2028, 0x202e, 0x2066,
      0xd800, 0xe000, 0xfeff, 0xfffe, 0xe0041, 0x10ffff, 0x110000 } do
      assert.is_false(printable.is_printable(code), ("%x"):format(code))
    end
  end)
end)
