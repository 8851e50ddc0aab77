-- The shapes in which a network can be cut: which endpoint does not reach which. A cut is a set of
-- directed links, cut[src][dest] = true.

local M = {}

-- Cuts all links from one of `from` to one of `to`.
local function cut_links(cut, from, to)
  for _, src in ipairs(from) do
    for _, dest in ipairs(to) do
      if src ~= dest then
        cut[src] = cut[src] or {}
        cut[src][dest] = true
      end
    end
  end
  return cut
end

local function without(ids, ...)
  local gone, rest = {}, {}
  for _, list in ipairs{...} do
    for _, id in ipairs(list) do gone[id] = true end
  end
  for _, id in ipairs(ids) do
    if not gone[id] then rest[#rest + 1] = id end
  end
  return rest
end

---What `from` sends does not reach `to`; what `to` sends arrives.
---@param from string[]
---@param to string[]
---@return table cut
function M.one_way(from, to)
  return cut_links({}, from, to)
end

---`a` and `b` do not reach each other; all others reach both.
---@param a string[]
---@param b string[]
---@return table cut
function M.partial(a, b)
  return cut_links(cut_links({}, a, b), b, a)
end

---Nobody reaches that endpoint, and it reaches nobody.
---@param id string
---@param endpoints string[] all there are
---@return table cut
function M.isolate(id, endpoints)
  return M.partial({id}, endpoints)
end

---Two sides that reach each other only through one node, the bridge, which reaches all.
---@param id string the bridge
---@param side string[]|nil one side; nil for the first half of the others
---@param ids string[] of the nodes
---@return table cut
function M.bridge(id, side, ids)
  local others = without(ids, {id})
  side = side and without(side, {id}) or table.move(others, 1, #others // 2, 1, {})
  return M.partial(side, without(others, side))
end

---Each node reaches only its two neighbours.
---@param order string[] of the nodes, around the ring
---@return table cut
function M.ring(order)
  local cut, n = {}, #order
  for i, id in ipairs(order) do
    local neighbours = {order[i % n + 1], order[(i - 2) % n + 1]}
    cut_links(cut, {id}, without(order, neighbours))
  end
  return cut
end

---The nodes reach only one of them, not each other.
---@param id string the one in the middle
---@param ids string[] of the nodes
---@return table cut
function M.star(id, ids)
  local others = without(ids, {id})
  return M.partial(others, others)
end

---The links of a cut, in order.
---@param cut table
---@return string[] links such as `n1>n2`
function M.list(cut)
  local links = {}
  for src, row in pairs(cut) do
    for dest in pairs(row) do links[#links + 1] = src .. ">" .. dest end
  end
  table.sort(links)
  return links
end

return M
