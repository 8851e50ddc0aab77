--- How a client's command stands in the log: who sent it, its number, then the command itself,
--- raw, so that any LMDB tool shows it.

local pack, unpack, sub = string.pack, string.unpack, string.sub

local command = {}

--- Entry types.
command.NO_OP = 0
command.COMMAND = 1

command.CLIENT_MAX = 255 -- bytes

--- Makes the data of an entry.
---@param client string 1 to CLIENT_MAX bytes
---@param number integer the client's number of this command, from 1
---@param payload string what the state machine is given
---@return string data
function command.encode(client, number, payload)
  return pack(">s1I8", client, number) .. payload
end

--- Takes the data of an entry apart.
---@param data string
---@return string client
---@return integer number
---@return string payload
function command.decode(data)
  local client, number, at = unpack(">s1I8", data)
  return client, number, sub(data, at)
end

return command
