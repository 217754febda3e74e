#include "weir/base/yaml.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

#include "weir/base/random.hpp"
#include "weir/base/text_file.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace weir::yaml {
namespace {

using ::testing::HasSubstr;

std::string refusal(const std::string& text, const Limits& limits = {}) {
    const auto tree = parse(text, "a.yaml", limits);
    return tree.has_value() ? "accepted" : tree.error().message;
}

TEST(Yaml, KeepsScalarsAsTheyAreWritten) {
    const auto tree = parse("a: no\nb: 1e3\nc: 08:30\nd: 'null'\ne: ~\nf:\ng: |\n  x\n  y\n", "a");
    ASSERT_TRUE(tree.has_value());
    EXPECT_EQ(tree->find("a")->text, "no");
    EXPECT_EQ(tree->find("b")->text, "1e3");
    EXPECT_EQ(tree->find("c")->text, "08:30");
    EXPECT_FALSE(tree->find("d")->is_null());
    EXPECT_TRUE(tree->find("e")->is_null());
    EXPECT_TRUE(tree->find("f")->is_null());
    EXPECT_EQ(tree->find("g")->text, "x\ny\n");
    EXPECT_EQ(tree->find("h"), nullptr);
}

TEST(Yaml, RemembersWhereEverythingStood) {
    const auto tree = parse("a: 1\nb:\n  - x\n  - {c: 2}\n", "a");
    ASSERT_TRUE(tree.has_value());
    EXPECT_EQ(tree->keys[1].place, (Place{2, 1}));
    EXPECT_EQ(tree->find("a")->place, (Place{1, 4}));
    EXPECT_EQ(tree->find("b")->items[1].find("c")->place, (Place{4, 9}));
}

TEST(Yaml, ReadsJson) {
    const auto tree = parse("{\n\t\"a\":1,\n\t\"b\":[true,null,{\"c\":\"x\\u4e2d\\/\"}]\n}", "a");
    ASSERT_TRUE(tree.has_value()) << tree.error().message;
    EXPECT_EQ(tree->find("b")->items[2].find("c")->text, "x中/");
}

TEST(Yaml, ExpandsAliasesWithinTheLimits) {
    const auto tree = parse("a: &x {b: 1}\nc: *x\n", "a");
    ASSERT_TRUE(tree.has_value());
    EXPECT_EQ(tree->find("c")->find("b")->text, "1");
    EXPECT_EQ(tree->find("c")->place.line, 2U);
}

TEST(Yaml, RefusesWhatIsAmbiguousAndNamesThePlace) {
    EXPECT_EQ(refusal("a: 1\nb: 2\na: 3\n"),
              "a.yaml:3:1: the key 'a' stands here a second time; the first is in line 1");
    EXPECT_THAT(refusal("base: &b {x: 1}\na:\n  <<: *b\n"), HasSubstr("a.yaml:3:3: merge keys"));
    EXPECT_THAT(refusal("a: !!str 5"), HasSubstr("a.yaml:1:4: the tag"));
    EXPECT_THAT(refusal("a: 1\n---\nb: 1\n"), HasSubstr("a.yaml:2:1: a second document"));
    EXPECT_THAT(refusal("[a, b]: 1"), HasSubstr("a.yaml:1:1: a list or a map cannot be a key"));
    EXPECT_THAT(refusal(""), HasSubstr("is empty"));
    EXPECT_THAT(refusal("# only a comment\n"), HasSubstr("is empty"));
}

TEST(Yaml, RefusesBrokenSyntaxInWordsThatHelp) {
    EXPECT_THAT(refusal("run: echo a: b"),
                HasSubstr("a.yaml:1:12: is no YAML: a ':' cannot stand"));
    EXPECT_THAT(refusal("a: [1, 2\nb: 3\n"), HasSubstr("opened with '['"));
    // The library alone would take the end of the file for the end of the quote.
    EXPECT_THAT(refusal("a: \"x\nb: 1\n"), HasSubstr("quotes is not closed"));
    EXPECT_THAT(refusal("a: 'x\n"), HasSubstr("quotes is not closed"));
}

TEST(Yaml, RefusesBytesThatAreNoText) {
    EXPECT_THAT(refusal(std::string("a: x\nb: \0", 9)),
                HasSubstr("a.yaml:2:4: the control character 0x00"));
    EXPECT_THAT(refusal("a: \xff"), HasSubstr("a.yaml:1:4: the byte 0xFF is no UTF-8"));
    EXPECT_THAT(refusal("a: \xed\xa0\x80"), HasSubstr("no UTF-8"));  // a surrogate
    EXPECT_THAT(refusal("a: \xc0\xaf"), HasSubstr("no UTF-8"));      // an overlong '/'
    EXPECT_THAT(refusal("a: \"\\0\""), HasSubstr("NUL"));
    EXPECT_THAT(refusal("a: \"\\N\""), HasSubstr("a.yaml:1:4: an escape in this text"));
    EXPECT_THAT(refusal("中: \x1b[31m"), HasSubstr("a.yaml:1:4: the control character 0x1B"));
}

TEST(Yaml, RefusesAnAliasBombBeforeItIsBuilt) {
    std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
    for (int i = 1; i < 12; ++i) {
        const std::string last = "*a" + std::to_string(i - 1);
        bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
        for (int j = 0; j < 10; ++j)
            bomb += (j > 0 ? ", " : "") + last;
        bomb += "]\n";
    }
    const auto tree = parse(bomb, "a.yaml");
    ASSERT_FALSE(tree.has_value());
    EXPECT_EQ(tree.error().code, Code::too_large);
    EXPECT_THAT(tree.error().message, HasSubstr("aliases expanded"));

    // Few nodes, but each a long text.
    std::string fat = "a: &a " + std::string(500'000, 'x') + "\nb: [";
    for (int i = 0; i < 1000; ++i)
        fat += "*a, ";
    EXPECT_THAT(refusal(fat + "*a]\n"), HasSubstr("4MiB of text"));
    EXPECT_THAT(refusal("a: &a [*a]\n"), HasSubstr("refers to what contains it"));
}

TEST(Yaml, RefusesMoreThanSixtyFourLevelsAlsoThroughAliases) {
    EXPECT_EQ(refusal(std::string(63, '[') + "x" + std::string(63, ']')), "accepted");
    EXPECT_THAT(refusal(std::string(65, '[') + "x" + std::string(65, ']')), HasSubstr("64 levels"));
    const std::string forty = std::string(40, '[') + "x" + std::string(40, ']');
    EXPECT_THAT(refusal("a: &a " + forty + "\nb: " + std::string(40, '[') + "*a" +
                        std::string(40, ']') + "\n"),
                HasSubstr("64 levels"));
    EXPECT_NE(refusal(std::string(1'000'000, '[')), "accepted");
}

TEST(Yaml, RefusesABigFileFromItsSize) {
    const std::string path = ::testing::TempDir() + "/weir_big_" + std::to_string(::getpid());
    std::ofstream(path) << "a: 1\n";
    // Sparse: 100 MB that nobody has to write or read.
    ASSERT_EQ(::truncate(path.c_str(), 100'000'000), 0);
    const auto tree = parse_file(path);
    ASSERT_FALSE(tree.has_value());
    EXPECT_EQ(tree.error().code, Code::too_large);
    EXPECT_EQ(tree.error().message, path + ": has 95.4MiB; at most 1MiB are read");
    std::remove(path.c_str());

    EXPECT_EQ(parse_file(path).error().code, Code::not_found);
    EXPECT_EQ(parse_file(::testing::TempDir()).error().code, Code::invalid);
    EXPECT_EQ(read_text_file("/dev/zero", 1000).error().code, Code::too_large);
    EXPECT_THAT(refusal("abcdef", {3, 10, 10}), HasSubstr("at most 3B"));
}

RC_GTEST_PROP(Yaml, PrintsWhatReadsBackEqual, (const std::vector<std::string>& texts)) {
    Node tree;
    tree.kind = Kind::sequence;
    for (const std::string& text : texts) {
        Node leaf;
        leaf.quoted = true;
        // Printable ASCII and line breaks: what else may stand in a file is fuzzed.
        for (const char c : text)
            leaf.text += c >= ' ' && c <= '~' ? c : '\n';
        Node map;
        map.kind = Kind::map;
        map.keys = {{leaf.text + "k", {}}};
        map.items = {leaf};
        tree.items.push_back(std::move(map));
    }
    const auto again = parse(print(tree), "printed");
    RC_ASSERT(again.has_value());
    RC_ASSERT(same(tree, *again));
}

TEST(Yaml, SurvivesItsFuzzCorpusAndMutationsOfIt) {
    const std::vector<std::string> corpus = {
        "a: 1\nb: [x, {c: 'd'}]\n",
        "a: &x [1, *x]\n",
        "a: |\n x\n  y\n\n",
        "? a\n: b\n",
        "- - - a\n",
        "{\"a\": \"\\n\\\\\"}",
        "a: >-\n  x\n\n  y",
        "%YAML 1.2\n--- a\n...\n",
        "\xEF\xBB\xBF"
        "a: 1",
        "a: \"\\x85\\u2028\"",
        "'a b': ''\n",
        "a: \"b\n\n c\"\n",
    };
    Random random(20261124);
    for (const std::string& seed : corpus) {
        for (int round = 0; round < 200; ++round) {
            std::string text = seed;
            const auto changes = round == 0 ? 0 : random.between(1, 4);
            for (std::int64_t i = 0; i < changes && !text.empty(); ++i) {
                const auto at = static_cast<std::size_t>(
                    random.between(0, static_cast<std::int64_t>(text.size()) - 1));
                switch (random.between(0, 2)) {
                    case 0:
                        text[at] = static_cast<char>(random.between(0, 255));
                        break;
                    case 1:
                        text.erase(at, 1);
                        break;
                    default:
                        text.insert(at, 1, "[]{}:,-?&*!|>'\"\n #%"[random.between(0, 18)]);
                }
            }
            LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
        }
    }
}

}  // namespace
}  // namespace weir::yaml
