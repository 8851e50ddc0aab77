-- A mistake of Raft, planted: a new leader does not know which commands its log has.
return {
  name = "logged_forgotten",
  number = "own",
  changes = "a new leader does not know which commands its log has",
  changes_nothing = "a command that is logged twice takes effect once all the same",
  plant = function()
    require("jangada.raft.sessions").read_log = function(self) self.logged = {} end
  end,
}
