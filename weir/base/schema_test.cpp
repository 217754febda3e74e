#include "weir/base/schema.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace weir::schema {
namespace {

using ::testing::HasSubstr;

std::optional<std::string> test_even(std::string_view word) {
    if (!word.empty() && (word.back() - '0') % 2 == 0) return std::nullopt;
    return "must be even";
}

// A small language with one field of every type.
const Object& inner_schema() {
    static const Object table{
        "inner",
        "What is inside.",
        {
            {"memory", quantity(Type::bytes), "Memory", "128GiB"},
            {"level", choice({"node", "rack", "site"}), "Level", "rack", "site"},
            {"hint", integer(0, 9), "A hint", "3", "", false, Use::checked},
        }};
    return table;
}

const Object& outer_schema() {
    static const Object table{
        "thing",
        "A thing.",
        {
            {"name", text(), "Its name", "x", "", true},
            {"count", integer(1, 1000), "How many", "8", "1"},
            {"share", number(0.1, 0.9), "How much", "0.5"},
            {"on", boolean(), "Whether", "true"},
            {"wait", quantity(Type::duration), "How long", "30min"},
            {"power", quantity(Type::power), "Watts", "15kW"},
            {"speed", quantity(Type::bandwidth), "Speed", "10GB/s"},
            {"start", quantity(Type::time), "When", "2026-12-01"},
            {"price", quantity(Type::money), "Price", "500 CNY"},
            {"even", word("even number", test_even, "^[0-9]*[02468]$"), "Even", "4"},
            {"after", list_or_one(text()), "Who first", "[a, b]"},
            {"env", map_of(text()), "Variables", "{A: 1}"},
            {"inner", object(inner_schema()), "Inside"},
            {"parts", list_of(object(inner_schema())), "Parts"},
            {"limit", either({integer(0, 5), quantity(Type::bytes)}), "Either"},
            {"trial", text(), "Not yet", "", "", false, Use::checked},
        },
        {{"nodes", "write count"}}};
    return table;
}

std::string refusal(const std::string& text) {
    const auto tree = yaml::parse(text, "a.yaml");
    if (!tree.has_value()) return tree.error().message;
    const auto checked = check(outer_schema(), *tree, "a.yaml");
    return checked.has_value() ? "accepted" : checked.error().message;
}

TEST(Schema, AcceptsEveryTypeAndGivesItsValue) {
    const auto tree = yaml::parse(
        "name: no\ncount: 8\nshare: 5e-1\non: true\nwait: 1h30m\npower: 15kW\nspeed: 400Gb/s x 8\n"
        "start: 2026-12-01\nprice: 500 CNY\neven: 4\nafter: a\nenv: {A: 1, B: x}\n"
        "inner: {memory: 2GiB}\nparts: [{level: rack}, {hint: 3}]\nlimit: 1GiB\n",
        "a.yaml");
    ASSERT_TRUE(tree.has_value());
    const auto checked = check(outer_schema(), *tree, "a.yaml");
    ASSERT_TRUE(checked.has_value()) << checked.error().message;
    const View view(*tree);
    EXPECT_EQ(view.text("name"), "no");  // the schema decides, not the look
    EXPECT_EQ(view.integer("count"), 8);
    EXPECT_EQ(view.number("share"), 0.5);
    EXPECT_EQ(view.duration("wait"), seconds(5400));
    EXPECT_EQ(view.power_watts("power"), 15'000.0);
    EXPECT_EQ(view.texts("after"), std::vector<std::string>{"a"});
    EXPECT_EQ(view.object("inner")->bytes("memory"), gibibytes(2));
    EXPECT_EQ(view.objects("parts").size(), 2U);
    EXPECT_EQ(view.text("absent"), std::nullopt);
}

TEST(Schema, NamesTheNearestKeyForAnUnknownOne) {
    EXPECT_EQ(refusal("name: x\ncuont: 3\n"),
              "a.yaml:2:1: 'cuont' is not a key of thing; did you mean 'count'?");
    EXPECT_THAT(
        refusal("name: x\ninner: {levle: rack}\n"),
        HasSubstr("a.yaml:2:9: inner: 'levle' is not a key of inner; did you mean 'level'?"));
    EXPECT_THAT(refusal("name: x\nmemory: 1GiB\n"), HasSubstr("it belongs to inner.memory"));
    EXPECT_THAT(refusal("name: x\nnodes: 3\n"), HasSubstr("write count"));
    EXPECT_THAT(refusal("name: x\nxylophone: 3\n"), HasSubstr("valid are name, count, share"));
}

TEST(Schema, NamesPlaceKeyValueAndWhatIsValid) {
    EXPECT_EQ(refusal("name: x\ninner:\n  memory: 128\n"),
              "a.yaml:3:11: inner.memory: '128' has no unit: write 128GiB or 128MiB");
    EXPECT_EQ(refusal("name: x\ncount: -2\n"),
              "a.yaml:2:8: count: -2 is out of range; valid are 1 to 1000");
    EXPECT_EQ(refusal("name: x\ncount: 1e3\n"),
              "a.yaml:2:8: count: '1e3' is not a whole number; write one from 1 to 1000");
    EXPECT_THAT(refusal("name: x\ncount: 99999999999999999999\n"), HasSubstr("not a whole number"));
    EXPECT_THAT(refusal("name: x\non: yes\n"), HasSubstr("neither true nor false"));
    EXPECT_THAT(refusal("name: x\nshare: nan\n"), HasSubstr("'nan' is not a number"));
    EXPECT_THAT(refusal("name: x\nshare: 2\n"), HasSubstr("valid are 0.1 to 0.9"));
    EXPECT_THAT(
        refusal("name: x\nparts: [{level: rak}]\n"),
        HasSubstr("parts[0].level: 'rak' is not one of node, rack, site (did you mean rack?)"));
    EXPECT_THAT(refusal("name: x\neven: 3\n"), HasSubstr("even: '3' must be even"));
    EXPECT_THAT(refusal("name: x\nprice: 500\n"), HasSubstr("write 500 CNY"));
    EXPECT_THAT(refusal("name: x\nlimit: 9\n"), HasSubstr("limit: '9' has no unit"));
}

TEST(Schema, RefusesTheWrongShape) {
    EXPECT_THAT(refusal("name: [x]\n"), HasSubstr("name: is a list; write a text"));
    EXPECT_THAT(
        refusal("name: x\ninner: 5\n"),
        HasSubstr("inner: is a single value; write a map with the keys memory, level, hint"));
    EXPECT_THAT(refusal("name: x\nparts: {a: b}\n"), HasSubstr("parts: is a map; write a list"));
    EXPECT_THAT(refusal("name:\n"), HasSubstr("name: has no value; write a text"));
    EXPECT_THAT(refusal("count: 1\n"), HasSubstr("the key 'name' is missing; write name: x"));
    EXPECT_THAT(refusal("[1]"), HasSubstr("a thing is a map of keys and values"));
    EXPECT_THAT(refusal("just text"), HasSubstr("a thing is a map of keys and values"));
}

TEST(Schema, ReportsAllProblemsInTheOrderOfTheFileUpToTwenty) {
    const std::string two = refusal("count: 0\nname: x\ninner: {memory: 5}\n");
    EXPECT_EQ(std::count(two.begin(), two.end(), '\n'), 1);
    EXPECT_LT(two.find("a.yaml:1:"), two.find("a.yaml:3:"));
    std::string many = "name: x\n";
    for (int i = 0; i < 30; ++i)
        many += "wrong" + std::to_string(i) + ": 1\n";
    const std::string all = refusal(many);
    EXPECT_EQ(std::count(all.begin(), all.end(), '\n'), 20);
    EXPECT_THAT(all, HasSubstr("and 10 more problems"));
}

TEST(Schema, CutsLongValuesBetweenCharacters) {
    std::string wide;
    for (int i = 0; i < 100; ++i)
        wide += "堰";
    const std::string message = refusal("name: x\ncount: " + wide + "\n");
    EXPECT_LT(message.size(), 200U);
    EXPECT_TRUE(
        yaml::parse("\"" + message.substr(0, message.find(" is not")) + "\"", "m").has_value());
}

TEST(Schema, ListsWhatIsOnlyChecked) {
    const auto tree = yaml::parse("name: x\ntrial: 1\nparts: [{hint: 1}, {hint: 2}]\n", "a");
    ASSERT_TRUE(tree.has_value());
    EXPECT_EQ(checked_only(outer_schema(), *tree),
              (std::vector<std::string>{"trial", "parts.hint"}));
}

TEST(Schema, FindsSlipsOfTheFingersOnly) {
    const std::vector<std::string_view> known{"replicas", "retries", "memory"};
    EXPECT_EQ(nearest("replicsa", known), "replicas");
    EXPECT_EQ(nearest("retry", known), std::nullopt);
    EXPECT_EQ(nearest("memroy", known), "memory");
    EXPECT_EQ(nearest("xyz", known), std::nullopt);
    EXPECT_EQ(nearest("", known), std::nullopt);
}

TEST(Schema, WritesJsonSchemaThatHoldsEveryField) {
    const auto json = nlohmann::json::parse(json_schema(outer_schema(), "a thing"));
    EXPECT_EQ(json.at("$schema"), "https://json-schema.org/draft/2020-12/schema");
    EXPECT_EQ(json.at("required"), nlohmann::json::array({"name"}));
    EXPECT_EQ(json.at("additionalProperties"), false);
    EXPECT_EQ(json.at("properties").size(), outer_schema().fields.size());
    EXPECT_EQ(json.at("properties").at("inner").at("$ref"), "#/$defs/inner");
    EXPECT_EQ(json.at("$defs").at("inner").at("properties").at("level").at("enum").size(), 3U);
    EXPECT_EQ(json.at("properties").at("count").at("maximum"), 1000);
}

TEST(Schema, WritesAReferenceThatHoldsEveryFieldOnce) {
    const std::string page = markdown(outer_schema());
    for (const Field& field : outer_schema().fields) {
        EXPECT_THAT(page, HasSubstr("| `" + std::string(field.key) + "` |"));
    }
    EXPECT_EQ(page.find("## inner"), page.rfind("## inner"));
    EXPECT_THAT(page, HasSubstr("*(checked only)*"));
}

}  // namespace
}  // namespace weir::schema
