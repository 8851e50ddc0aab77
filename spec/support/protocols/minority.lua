-- Raft with a planted bug: half of the members pass for a majority.

local function is_half(count, members) return count * 2 >= members - 1 end

return require("jangada.raft").with{is_quorum = is_half, elects = is_half}
