std = "lua54"
max_line_length = 100
ignore = { "211/_.*", "212/_.*" }
exclude_files = { "build", "lua_modules" }
files["spec"] = { std = "+busted" }
files["types"] = { ignore = { "111", "112", "113", "211", "212", "241", "311", "431" } }
