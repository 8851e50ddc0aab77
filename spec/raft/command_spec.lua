local command = require "jangada.raft.command"

describe("a command in the log", function()
  it("has golden bytes: client, number, then the command as it is", function()
    assert.equal("\2c1\0\0\0\0\0\0\0\17a line of input\n",
      command.encode("c1", 17, "a line of input\n"))
  end)

  it("gives back what it was given", function()
    for _, case in ipairs{
      { "c1", 1, "" }, { ("c"):rep(255), math.maxinteger, "\0\255" }, { "\0", 256, ("x"):rep(1e6) },
    } do
      assert.same(case, { command.decode(command.encode(table.unpack(case))) })
    end
  end)
end)
