-- Raft with a planted bug: half of the members pass for a majority.

return require("jangada.raft").with{is_quorum = function(count, members)
  return count * 2 >= members - 1
end}
