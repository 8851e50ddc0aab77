-- Every text scenario of examples/by_hand prints what stands in the file NAME.out beside it. When
-- it is to print something else, GOLDEN=write writes these files anew: the difference is to be
-- looked at.

local process = require "spec.support.process"

local function paths()
  local pipe <close> = assert(io.popen("find examples/by_hand -name '*.scenario' | LC_ALL=C sort"))
  local list = {}
  for path in pipe:lines() do list[#list + 1] = path end
  return list
end

-- What a run prints, but for what every change of the library changes.
local function output_of(path)
  local code, output = process.jangada("lab run " .. path)
  return (output:gsub("trace hash %x+", "trace hash ...")) .. ("exit code %d\n"):format(code)
end

describe("the text scenarios", function()
  for _, path in ipairs(paths()) do
    it(path .. " prints what is written down", function()
      local golden, output = path:gsub("scenario$", "out"), output_of(path)
      if os.getenv("GOLDEN") == "write" then process.write(golden, output) end
      local file <close> = assert(io.open(golden, "rb"), golden .. " is missing: GOLDEN=write")
      assert.equal(file:read("a"), output)
    end)
  end
end)
