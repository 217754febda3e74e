#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <fstream>

#include "weir/cli/command_table.hpp"

namespace weir::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

CommandInfo small_table() {
    CommandInfo root;
    root.name = "weir";
    CommandInfo go{"go", "Do", "go there's more: [much]", "Example:\n  weir go", "", {}, {}};
    go.options = {{{"-f", "--file"}, "FILE", "a file", false, false},
                  {{"--mode"}, "fast|slow", "how", false, false},
                  {{"--dry"}, "", "only look", false, false},
                  {{}, "JOB", "a job", true, true}};
    CommandInfo deep{"deep", "Do", "has children", "", "", {}, {}};
    deep.children = {{"down", "", "further", "", "", {{{"--far"}, "", "far", false, false}}, {}}};
    root.children = {go, deep};
    return root;
}

// What bash offers for the words so far, the last of which is being typed.
std::vector<std::string> offered(const std::string& words) {
    const std::string path = testing::TempDir() + "weir_completion_" + std::to_string(getpid());
    std::ofstream(path) << bash_completion(small_table());
    const std::string command = "bash -c 'source " + path +
                                "; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); _weir 2>/dev/null; "
                                "printf \"%s\\n\" \"${COMPREPLY[@]}\"' bash weir " +
                                words;
    FILE* shell = popen(command.c_str(), "r");
    std::vector<std::string> lines;
    std::array<char, 512> buffer{};
    while (fgets(buffer.data(), buffer.size(), shell) != nullptr) {
        std::string line = buffer.data();
        line.pop_back();
        if (!line.empty()) lines.push_back(line);
    }
    pclose(shell);
    unlink(path.c_str());
    return lines;
}

TEST(BashCompletion, FollowsTheTableOfCommands) {
    EXPECT_THAT(offered("''"), ElementsAre("go", "deep"));
    EXPECT_THAT(offered("d"), ElementsAre("deep"));
    EXPECT_THAT(offered("deep ''"), ElementsAre("down"));
    EXPECT_THAT(offered("deep down -"), ElementsAre("--far"));
    EXPECT_THAT(offered("go --m"), ElementsAre("--mode"));
    EXPECT_THAT(offered("go --mode ''"), ElementsAre("fast", "slow"));
    EXPECT_THAT(offered("go --mode s"), ElementsAre("slow"));
}

TEST(ZshCompletion, QuotesWhatZshWouldTakeForItsOwn) {
    const std::string script = zsh_completion(small_table());
    EXPECT_THAT(script, HasSubstr(R"('go:go there'\''s more\: \[much\]')"));
    EXPECT_THAT(script, HasSubstr("'--mode[how]:fast|slow:(fast slow)'"));
    EXPECT_THAT(script, HasSubstr("_weir_command_deep_down()"));
}

TEST(Reference, NamesEveryCommandAndOptionOnce) {
    const std::string page = markdown_reference(small_table());
    EXPECT_THAT(page, HasSubstr("## weir deep down\n"));
    EXPECT_THAT(page, HasSubstr("| `--mode fast\\|slow` | how |"));
    EXPECT_THAT(page, HasSubstr("weir go [options] JOB..."));
}

TEST(Help, WrapsAtWordsWithinTheWidth) {
    CommandInfo command = small_table().children[0];
    command.options[0].description =
        std::string(20, 'a') + " " + std::string(30, 'b') + " " + std::string(30, 'c');
    const std::string text = help_text(command, "go", 80);
    std::size_t begin = 0;
    for (std::size_t end = text.find('\n'); end != std::string::npos;
         end = text.find('\n', begin)) {
        EXPECT_LE(end - begin, 80U);
        begin = end + 1;
    }
    EXPECT_THAT(text, HasSubstr("\n" + std::string(26, ' ') + std::string(30, 'c')));
}

TEST(Help, FitsANarrowTerminal) {
    CommandInfo command = small_table().children[0];
    command.options[0].description = "a few words that do not fit beside the name of the option";
    command.footer = "Example:\n  weir go\n\nExit status: 0 done, 1 failed, 2 wrong usage.";
    const std::string text = help_text(command, "go", 40);
    EXPECT_THAT(text, HasSubstr("-f, --file FILE\n      a few words that do not fit beside"));
    EXPECT_THAT(text, HasSubstr("\n  weir go\n\nExit status: 0 done, 1 failed, 2 wrong\nusage.\n"));
}

}  // namespace
}  // namespace weir::cli
