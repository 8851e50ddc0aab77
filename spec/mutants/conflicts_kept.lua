-- A mistake of Raft, planted: entries are appended, but never replaced.
return {
  name = "conflicts_kept",
  number = "own",
  changes = "entries are appended, but never replaced",
  breaks = "log matching",
  rules = {
    first_new_entry = function(log, prev_index, entries)
      for position = 1, #entries do
        if log:term(prev_index + position) == nil then return position end
      end
      return nil
    end,
  },
}
