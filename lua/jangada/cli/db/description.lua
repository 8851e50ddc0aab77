--- What buckets there are in a file, and of what kind: gathered in one walk, for who shows them or
--- makes them anew.

local errors = require "jangada.errors"
local session = require "jangada.cli.db.session"

local description = {}

---@class jangada.cli.Description
---@field path string[] names from the top level on
---@field is_foreign boolean an LMDB database of a kind that the store does not read
---@field is_integer boolean its keys are integers
---@field is_tree boolean it has a tree of its own
---@field keys integer in this bucket itself
---@field sequence integer
---@field children jangada.cli.Description[]
---@field stats table of the bucket with all in it

local describe

-- Describes the buckets in a bucket or at the top level.
local function describe_children(parent, path)
  local children = {}
  for name, bucket in parent:buckets() do
    local child_path = table.move(path, 1, #path, 1, {})
    child_path[#child_path + 1] = name
    children[#children + 1] = describe(bucket, child_path)
  end
  return children
end

-- `bucket` is nil for a database that the store does not read.
function describe(bucket, path)
  if not bucket then return { path = path, is_foreign = true, children = {} } end
  local stats = bucket:stats()
  local children = describe_children(bucket, path)
  local items, trees = stats.keys, stats.trees -- less what is of the buckets in it
  for _, child in ipairs(children) do
    if not child.is_foreign then
      items, trees = items - child.stats.keys, trees - child.stats.trees
    end
  end
  return {
    path = path,
    is_foreign = false,
    is_integer = session.has_integer_keys(bucket),
    is_tree = trees > 0,
    keys = items - #children,
    sequence = bucket:sequence(),
    children = children,
    stats = stats,
  }
end

--- Describes what the command line names: a bucket, or all of the file.
---@param tx table
---@param args table `bucket` (nil: all)
---@return jangada.cli.Description[] the bucket, or all top-level ones
function description.of(tx, args)
  if not args.bucket then return describe_children(tx, {}) end
  local bucket, names = session.bucket(tx, args)
  return { describe(bucket, names) }
end

--- Describes all buckets of a file.
---@param tx table
---@return jangada.cli.Description[] the top-level ones
function description.all(tx)
  return describe_children(tx, {})
end

--- The descriptions and all below them, parents first, as an iterator.
---@param list jangada.cli.Description[]
---@return fun(): jangada.cli.Description|nil
function description.each(list)
  return coroutine.wrap(function()
    local function visit(nodes)
      for _, node in ipairs(nodes) do
        coroutine.yield(node)
        visit(node.children)
      end
    end
    visit(list)
  end)
end

--- What kind of bucket it is, in words; without what goes without saying.
---@param node jangada.cli.Description
---@return string
function description.kind(node)
  if node.is_foreign then return "LMDB database that cannot be read here" end
  local words = {}
  if node.is_integer then words[#words + 1] = "integer keys" end
  if #node.path == 1 and not node.is_tree then words[#words + 1] = "shares a tree" end
  if #node.path > 1 and node.is_tree then words[#words + 1] = "own tree" end
  if node.sequence > 0 then words[#words + 1] = ("sequence %d"):format(node.sequence) end
  return table.concat(words, ", ")
end

--- Keys of a bucket and of all in it.
---@param node jangada.cli.Description
---@return integer
function description.keys_below(node)
  return node.stats.keys - (node.stats.buckets - 1)
end

--- The last name of a path; raises for a path of none.
---@param node jangada.cli.Description
---@return string
function description.name(node)
  if #node.path == 0 then errors.raise("input_invalid", "the path is empty") end
  return node.path[#node.path]
end

return description
