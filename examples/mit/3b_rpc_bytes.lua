-- MIT 6.5840, lab 3B, bytes: each command is sent to each peer just once.

local tester = require "examples.mit.tester"

local COMMANDS <const>, SIZE <const>, SLACK <const> = 10, 5000, 50000

return tester.scenario{ nodes = 3, observes = true, test = function(t)
  t:one(99, 3)
  local before = t.bytes
  for _ = 1, COMMANDS do t:one(t:value(SIZE), 3) end
  local sent, most = t.bytes - before, 3 * COMMANDS * SIZE + SLACK
  t:check(sent >= 2 * COMMANDS * (SIZE - 8), "%d bytes cannot have brought the commands", sent)
  t:check(sent <= most, "too many bytes: %d, and %d are enough", sent, most)
end }
