-- The places a bucket can be in: {name, parent}, parent(tx) gives the Tx or Bucket to make it in.
-- They differ in where LMDB keeps the items, never in what a bucket does. In a write transaction
-- `parent` makes what is missing.
local function ensure(up, name, options)
  return up:bucket(name) or up:create_bucket(name, options)
end

return {
  { "a top-level tree", function(tx) return tx end },
  { "a top-level prefix", function(tx) return ensure(tx, "up", { tree = false }) end },
  { "a nested prefix", function(tx) return ensure(ensure(tx, "up"), "up") end },
  { "a nested tree", function(tx) return ensure(ensure(tx, "up"), "up", { tree = true }) end },
}
