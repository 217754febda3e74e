#include "weir/base/yaml.hpp"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <array>
#include <istream>
#include <optional>
#include <streambuf>
#include <unordered_map>
#include <unordered_set>

#include "weir/base/text_file.hpp"
#include "weir/base/units.hpp"
#include "weir/base/utf8.hpp"

namespace weir::yaml {
namespace {

// How a refusal leaves the parser of the library, which only knows exceptions. Caught in parse().
struct Refused {
    Code code = Code::invalid;
    Place place;
    std::string why;
};

Place place_of(const YAML::Mark& mark) {
    // The library counts from 0, and -1 where it knows nothing.
    return {static_cast<std::uint32_t>(mark.line + 1), static_cast<std::uint32_t>(mark.column + 1)};
}

// Reads a string as a stream without copying it.
class MemoryBuffer : public std::streambuf {
public:
    explicit MemoryBuffer(std::string& text) {
        setg(text.data(), text.data(), text.data() + text.size());
    }
};

// What the library says, in words that help. Every other message is passed on as it is.
std::string explained(const std::string& message) {
    struct Known {
        std::string_view begins;
        std::string_view means;
    };
    // clang-format off
    static constexpr std::array<Known, 9> table{{
        {"illegal map value", "a ':' cannot stand here: put the text in quotes, or check the indentation"},
        {"end of sequence flow", "a list that was opened with '[' is not closed before this place"},
        {"end of map flow", "a map that was opened with '{' is not closed before this place"},
        {"end of map not found", "this does not fit what stands above it: check indentation and quotes"},
        {"end of sequence not found", "this does not fit the list above it: check the indentation"},
        {"unknown token", "this character cannot begin a value: put the text in quotes"},
        {"illegal EOF", "a text in quotes is not closed before the end of the file"},
        {"illegal block entry", "a '- ' cannot stand here: check the indentation"},
        {"the referenced anchor is not defined", "this alias refers to an anchor that was not defined"},
    }};
    // clang-format on
    for (const Known& known : table) {
        if (message.compare(0, known.begins.size(), known.begins) == 0) {
            return std::string(known.means);
        }
    }
    return message;
}

// Builds the tree from the library's events. The library's own tree is not used: it keeps the
// first of two equal keys in silence and shares aliased nodes, so that an alias bomb explodes
// only when somebody walks it.
class Builder : public YAML::EventHandler {
public:
    explicit Builder(const Limits& limits) : limits_(limits) {}

    [[nodiscard]] bool has_document() const { return documents_ > 0 && complete_; }
    Node take() { return std::move(root_); }

    void OnDocumentStart(const YAML::Mark& mark) override {
        if (++documents_ > 1) {
            refuse(place_of(mark), "a second document begins here; a file holds one");
        }
    }
    void OnDocumentEnd() override {}

    void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        Node node;
        node.place = place_of(mark);
        scalar(std::move(node), anchor);
    }

    void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        const Place place = place_of(mark);
        const auto found = anchors_.find(anchor);
        if (found == anchors_.end()) refuse(place, "this alias refers to what contains it");
        const Anchored& target = found->second;
        if (open_.size() + target.height > limits_.depth_max) too_deep(place);
        count(place, target.nodes, target.bytes);
        Node copy = target.node;
        copy.place = place;
        attach(std::move(copy), target.height, target.nodes, target.bytes);
    }

    void OnScalar(const YAML::Mark& mark,
                  const std::string& tag,
                  YAML::anchor_t anchor,
                  const std::string& value) override {
        Node node;
        node.place = place_of(mark);
        check_tag(tag, node.place);
        node.quoted = tag == "!";
        node.text = value;
        if (value.find('\0') != std::string::npos) {
            refuse(node.place, "this text contains a NUL character");
        }
        // The library turns the escapes \N and \_ into single bytes.
        if (first_bad_utf8(value)) refuse(node.place, "an escape in this text makes no UTF-8");
        scalar(std::move(node), anchor);
    }

    void OnSequenceStart(const YAML::Mark& mark,
                         const std::string& tag,
                         YAML::anchor_t anchor,
                         YAML::EmitterStyle::value) override {
        open(Kind::sequence, place_of(mark), tag, anchor);
    }
    void OnSequenceEnd() override { close(); }

    void OnMapStart(const YAML::Mark& mark,
                    const std::string& tag,
                    YAML::anchor_t anchor,
                    YAML::EmitterStyle::value) override {
        open(Kind::map, place_of(mark), tag, anchor);
    }
    void OnMapEnd() override { close(); }

private:
    struct Open {
        Node node;
        YAML::anchor_t anchor = 0;
        std::size_t height = 1;  // levels of the subtree so far
        std::size_t nodes = 1;
        std::size_t bytes = 0;
        bool wants_value = false;  // of a map: a key was read
        std::unordered_set<std::string> seen;
    };
    struct Anchored {
        Node node;
        std::size_t height = 1;
        std::size_t nodes = 1;
        std::size_t bytes = 0;
    };

    [[noreturn]] static void refuse(Place place, std::string why) {
        throw Refused{Code::invalid, place, std::move(why)};
    }
    [[noreturn]] void too_deep(Place place) const {
        refuse(place, fmt::format("more than {} levels are nested here", limits_.depth_max));
    }

    static void check_tag(const std::string& tag, Place place) {
        // "?" and "!" are what the library says of plain and of quoted scalars without a tag.
        if (tag.empty() || tag == "?" || tag == "!") return;
        refuse(place,
               fmt::format("the tag '{}' is not accepted; weir takes the type of a value "
                           "from its key, so leave the tag out",
                           tag));
    }

    // Copies count like what they copy, so that aliases cannot multiply beyond the limits.
    void count(Place place, std::size_t nodes, std::size_t bytes) {
        nodes_ += nodes;
        bytes_ += bytes;
        if (nodes_ > limits_.nodes_max || bytes_ > 4 * limits_.bytes_max) {
            throw Refused{
                Code::too_large,
                place,
                fmt::format("with its aliases expanded the file has more than {} values "
                            "or {} of text",
                            limits_.nodes_max,
                            format_bytes(Bytes{static_cast<std::int64_t>(4 * limits_.bytes_max)}))};
        }
    }

    void scalar(Node node, YAML::anchor_t anchor) {
        const Place place = node.place;
        const std::size_t bytes = node.text.size();
        count(place, 1, bytes);
        if (anchor != 0) remember(anchor, {node, 1, 1, bytes});
        attach(std::move(node), 1, 1, bytes);
    }

    void remember(YAML::anchor_t anchor, Anchored target) {
        count(target.node.place, target.nodes, target.bytes);
        anchors_.insert_or_assign(anchor, std::move(target));
    }

    void open(Kind kind, Place place, const std::string& tag, YAML::anchor_t anchor) {
        check_tag(tag, place);
        if (!open_.empty() && is_key_position()) {
            refuse(place, "a list or a map cannot be a key; was it opened here and not closed?");
        }
        if (open_.size() >= limits_.depth_max) too_deep(place);
        count(place, 1, 0);
        Open frame;
        frame.node.kind = kind;
        frame.node.place = place;
        frame.anchor = anchor;
        open_.push_back(std::move(frame));
    }

    void close() {
        Open done = std::move(open_.back());
        open_.pop_back();
        if (done.anchor != 0) {
            remember(done.anchor, {done.node, done.height, done.nodes, done.bytes});
        }
        attach(std::move(done.node), done.height, done.nodes, done.bytes);
    }

    [[nodiscard]] bool is_key_position() const {
        const Open& parent = open_.back();
        return parent.node.kind == Kind::map && !parent.wants_value;
    }

    void attach(Node node, std::size_t height, std::size_t nodes, std::size_t bytes) {
        if (open_.empty()) {
            root_ = std::move(node);
            complete_ = true;
            return;
        }
        Open& parent = open_.back();
        parent.height = std::max(parent.height, height + 1);
        parent.nodes += nodes;
        parent.bytes += bytes;
        if (!is_key_position()) {
            parent.wants_value = false;
            parent.node.items.push_back(std::move(node));
            return;
        }
        if (node.kind != Kind::scalar) {
            refuse(node.place, "a list or a map cannot be a key");
        }
        if (node.is_null()) refuse(node.place, "a key is missing here, before the ':'");
        if (node.text == "<<" && !node.quoted) {
            refuse(node.place, "merge keys ('<<') are not accepted; write the keys out");
        }
        if (!parent.seen.insert(node.text).second) {
            std::uint32_t first = 0;
            for (const Key& key : parent.node.keys) {
                if (key.text == node.text) first = key.place.line;
            }
            refuse(node.place,
                   fmt::format("the key '{}' stands here a second time; the first is "
                               "in line {}",
                               node.text,
                               first));
        }
        parent.node.keys.push_back({std::move(node.text), node.place});
        parent.wants_value = true;
    }

    const Limits limits_;
    std::vector<Open> open_;
    std::unordered_map<YAML::anchor_t, Anchored> anchors_;
    Node root_;
    std::size_t nodes_ = 0;
    std::size_t bytes_ = 0;
    int documents_ = 0;
    bool complete_ = false;
};

Place place_in(std::string_view text, std::size_t offset) {
    const TextPlace place = place_of_byte(text, offset);
    return {place.line, place.column};
}

std::optional<Refused> refused_bytes(std::string_view text) {
    for (std::size_t at = 0; at < text.size();) {
        const auto byte = static_cast<std::uint8_t>(text[at]);
        if ((byte < 0x20 && byte != '\n' && byte != '\r' && byte != '\t') || byte == 0x7F) {
            return Refused{Code::invalid,
                           place_in(text, at),
                           fmt::format("the control character 0x{:02X} stands here; this is no "
                                       "text file",
                                       byte)};
        }
        const std::size_t length = utf8_length(text, at);
        if (length == 0) {
            return Refused{
                Code::invalid,
                place_in(text, at),
                fmt::format("the byte 0x{:02X} is no UTF-8; save the file as UTF-8", byte)};
        }
        at += length;
    }
    return std::nullopt;
}

void print_quoted(const std::string& text, std::string& out) {
    out += '"';
    for (const char c : text) {
        switch (c) {
            case '"':
                out += "\\\"";
                break;
            case '\\':
                out += "\\\\";
                break;
            case '\n':
                out += "\\n";
                break;
            case '\r':
                out += "\\r";
                break;
            case '\t':
                out += "\\t";
                break;
            default:
                if (static_cast<std::uint8_t>(c) < 0x20 || c == 0x7F) {
                    out += fmt::format("\\x{:02x}", static_cast<std::uint8_t>(c));
                } else {
                    out += c;
                }
        }
    }
    out += '"';
}

void print_node(const Node& node, std::string& out) {
    switch (node.kind) {
        case Kind::scalar:
            if (node.is_null()) {
                out += "null";
            } else {
                print_quoted(node.text, out);
            }
            break;
        case Kind::sequence:
            out += '[';
            for (const Node& item : node.items) {
                if (&item != &node.items.front()) out += ", ";
                print_node(item, out);
            }
            out += ']';
            break;
        case Kind::map:
            out += '{';
            for (std::size_t i = 0; i < node.keys.size(); ++i) {
                if (i > 0) out += ", ";
                print_quoted(node.keys[i].text, out);
                out += ": ";
                print_node(node.items[i], out);
            }
            out += '}';
            break;
    }
}

}  // namespace

const Node* Node::find(std::string_view key) const {
    for (std::size_t i = 0; i < keys.size(); ++i) {
        if (keys[i].text == key) return &items[i];
    }
    return nullptr;
}

bool Node::is_null() const {
    return kind == Kind::scalar && !quoted && (text.empty() || text == "~" || text == "null");
}

std::string place_text(std::string_view source, Place place) {
    if (place.line == 0) return std::string(source);
    return fmt::format("{}:{}:{}", source, place.line, place.column);
}

Result<Node> parse(std::string_view text, std::string_view source, const Limits& limits) {
    const auto refused = [&](const Refused& refusal) {
        return fail(refusal.code, place_text(source, refusal.place) + ": " + refusal.why);
    };
    if (text.size() > limits.bytes_max) {
        return fail(Code::too_large,
                    fmt::format("{}: has {}; at most {} are read",
                                source,
                                format_bytes(Bytes{static_cast<std::int64_t>(text.size())}),
                                format_bytes(Bytes{static_cast<std::int64_t>(limits.bytes_max)})));
    }
    if (const auto bytes = refused_bytes(text)) return refused(*bytes);
    try {
        // The library takes the line break at the end of a file for the end of an open quote. A
        // comment behind it changes nothing else and makes that case an error.
        std::string guarded = std::string(text) + "\n#";
        MemoryBuffer buffer(guarded);
        std::istream stream(&buffer);
        YAML::Parser parser(stream);
        Builder builder(limits);
        while (parser.HandleNextDocument(builder)) {
        }
        if (!builder.has_document()) {
            return fail(Code::invalid, fmt::format("{}: is empty", source));
        }
        return builder.take();
    } catch (const Refused& refusal) {
        return refused(refusal);
    } catch (const YAML::Exception& problem) {
        // A problem at the end may be reported on the line of our comment.
        const Place place = std::min(place_of(problem.mark), place_in(text, text.size()));
        return fail(
            Code::invalid,
            fmt::format("{}: is no YAML: {}", place_text(source, place), explained(problem.msg)));
    } catch (const std::exception& problem) {
        return fail(Code::invalid, fmt::format("{}: is no YAML: {}", source, problem.what()));
    }
}

Result<Node> parse_file(const std::string& path, const Limits& limits) {
    WEIR_TRY(const std::string text, read_text_file(path, limits.bytes_max));
    return parse(text, path == "-" ? "standard input" : path, limits);
}

std::string print(const Node& node) {
    std::string out;
    print_node(node, out);
    out += '\n';
    return out;
}

bool same(const Node& a, const Node& b) {
    if (a.kind != b.kind || a.items.size() != b.items.size() || a.keys.size() != b.keys.size()) {
        return false;
    }
    if (a.kind == Kind::scalar)
        return a.is_null() == b.is_null() && (a.is_null() || a.text == b.text);
    for (std::size_t i = 0; i < a.keys.size(); ++i) {
        if (a.keys[i].text != b.keys[i].text) return false;
    }
    return std::equal(a.items.begin(), a.items.end(), b.items.begin(), same);
}

}  // namespace weir::yaml
