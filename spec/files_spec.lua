local files = require "jangada.files"
local process = require "spec.support.process"

describe("files", function()
  it("quotes any text for the shell", function()
    for _, text in ipairs{ "", "plain", "it's", "'", "a b", "$HOME `id` \\ \" * ~", "\n\t", "-x",
      "\xff\xfe" } do
      local pipe <close> = assert(io.popen("printf %s " .. files.quote(text)))
      assert.equal(text, pipe:read("a"))
    end
  end)

  it("makes directories, as many as are missing", function()
    local path = process.directory() .. "/-a b/it's"
    assert.is_true(files.make_directory(path))
    assert.is_true(files.make_directory(path))
    process.write(path .. "/file", "")
    assert.is_false(files.make_directory(path .. "/file/below"))
  end)

  it("makes empty directories of new names", function()
    local parent = process.directory()
    local one, two = files.make_temporary("it's", parent), files.make_temporary("it's", parent)
    assert.is_true(one ~= two)
    for _, path in ipairs{ one, two } do
      assert.equal(parent .. "/it's", path:match("^(.*)%-%w+$"))
      assert.is_true(os.remove(path))
    end
    assert.is_nil(files.make_temporary("x", parent .. "/missing"))
  end)

  it("removes a store with what is beside it, and nothing else", function()
    local path = process.directory() .. "/x"
    for _, suffix in ipairs{ "", "-lock", "-journal", "-other" } do
      process.write(path .. suffix, "")
    end
    files.remove_store(path)
    files.remove_store(path)
    for _, suffix in ipairs{ "", "-lock", "-journal" } do assert.is_nil(io.open(path .. suffix)) end
    assert.is_true(os.remove(path .. "-other"))
  end)
end)
