#include "weir/plan/serving_calibration.hpp"

#include <array>
#include <map>

#include "weir/base/assert.hpp"
#include "weir/base/embedded.hpp"
#include "weir/base/schema.hpp"

namespace weir::plan {

// The file catalog/serving.yaml (cmake/embed.cmake makes the table).
namespace serving {
std::span<const EmbeddedFile> embedded_files();
}

namespace {

using C = ServingChip;
using L = ServingLink;
using E = ServingEngine;

constexpr std::array<ServingConstant<C>, 11> of_chips{{
    {"product_share", &C::product_share, 0.1, 1, "Share of the BF16 peak, large products"},
    {"product_fp8_share", &C::product_fp8_share, 0.1, 1, "The same in 8 bits"},
    {"product_fp4_share", &C::product_fp4_share, 0.05, 1, "The same in 4 bits"},
    {"weights_share", &C::weights_share, 0.2, 1, "Share of the bandwidth that reads weights"},
    {"weights_fp4_share", &C::weights_fp4_share, 0.1, 1, "The same of weights in 4 bits"},
    {"cache_share", &C::cache_share, 0.1, 1, "The same of kept keys and values"},
    {"attention_share", &C::attention_share, 0.02, 1, "Share of the peak, attention of prompts"},
    {"experts_slowdown", &C::experts_slowdown, 0.5, 9, "Of products of experts, over plain ones"},
    {"moving_share", &C::moving_share, 0.1, 1, "Share of the bandwidth, element by element"},
    {"product_s", &C::product_s, 0, 1e-4, "Seconds of a product beyond its work"},
    {"spread", &C::spread, 0.01, 2, "Standard deviation of log(measured / predicted)"},
}};
constexpr std::array<ServingConstant<L>, 4> of_links{{
    {"reduce_s", &L::reduce_s, 0, 1e-3, "Seconds of a small all-reduce between two chips"},
    {"reduce_hop_s", &L::reduce_hop_s, 0, 1e-3, "More for each doubling of the chips"},
    {"bandwidth_share", &L::bandwidth_share, 0.05, 2, "Share of the bandwidth, large collectives"},
    {"exchange_s", &L::exchange_s, 0, 1e-2, "Seconds of a small all-to-all"},
}};
constexpr std::array<ServingConstant<E>, 21> of_engines{{
    {"kernel_s", &E::kernel_s, 0, 1e-4, "Seconds from one kernel to the next in a decode step"},
    {"eager_kernel_s", &E::eager_kernel_s, 0, 1e-3, "Seconds to issue one with a prompt in it"},
    {"step_s", &E::step_s, 0, 1, "Seconds between two steps"},
    {"sequence_s", &E::sequence_s, 0, 1e-2, "Of that, for each sequence"},
    {"product_slowdown", &E::product_slowdown, 0.5, 5, "Of large products, over the best engine"},
    {"experts_slowdown", &E::experts_slowdown, 0.5, 9, "Of products of experts"},
    {"experts_layer_s", &E::experts_layer_s, 0, 1e-3, "Seconds of a layer with experts beside"},
    {"attention_slowdown", &E::attention_slowdown, 0.3, 9, "Of attention, over the best engine"},
    {"reduce_slowdown", &E::reduce_slowdown, 0.3, 9, "Of small all-reduces, the same"},
    {"exchange_slowdown", &E::exchange_slowdown, 0.3, 20, "Of small all-to-alls, the same"},
    {"first_s", &E::first_s, 0, 10, "Seconds from arrival to the first step, beside queues"},
    {"request_s", &E::request_s, 0, 1, "Seconds of its front for each request"},
    {"stream_s", &E::stream_s, 0, 1e-2, "The same for each message to a client"},
    {"idle_sequences", &E::idle_sequences, 0, 9, "Of those it is started for, never used"},
    {"memory_share", &E::memory_share, 0.1, 1, "Share of a chip's memory that it takes"},
    {"chunk_tokens", &E::chunk_tokens, 16, 1e6, "Tokens of prompts in one step, at most"},
    {"batch_max", &E::batch_max, 1, 1e6, "Sequences at once, at most"},
    {"keeps_whole", &E::keeps_whole, 0, 1, "Share of the answer that must fit at admission"},
    {"spread", &E::spread, 0.01, 2, "Standard deviation of log(measured / predicted)"},
    {"experts_spread", &E::experts_spread, 0.01, 2, "The same of a model with experts"},
    {"first_spread", &E::first_spread, 0.01, 3, "The same of the time to the first token"},
}};

template <class Constants>
schema::Object table_of(std::string_view name, std::string_view doc, const Constants& constants) {
    schema::Object table{name, doc, {}, {}};
    table.fields.push_back({"names",
                            schema::list_or_one(schema::text()),
                            "Whose they are; any stands for all that have no entry",
                            "[h100-sxm-80g]",
                            "",
                            true});
    table.fields.push_back({"source", schema::text(), "On what they were fitted", "", "", true});
    for (const auto& constant : constants) {
        table.fields.push_back({constant.name,
                                schema::number(constant.low, constant.high),
                                constant.doc,
                                "",
                                "that of any"});
    }
    return table;
}

const schema::Object& file_table() {
    static const schema::Object chip = table_of("chip", "What a kind of chip reaches.", of_chips);
    static const schema::Object link = table_of("link", "What a kind of link reaches.", of_links);
    static const schema::Object engine = table_of("engine", "What an engine costs.", of_engines);
    static const schema::Object file{
        "serving",
        "What measured serving teaches beyond datasheets.",
        {{"chips", schema::list_of(schema::object(chip)), "Kinds of chip"},
         {"links", schema::list_of(schema::object(link)), "Kinds of link"},
         {"engines", schema::list_of(schema::object(engine)), "Engines"}},
        {}};
    return file;
}

template <class Record>
using Entries = std::map<std::string, Record, std::less<>>;

template <class Record, std::size_t N>
Entries<Record> entries_of(const std::vector<schema::View>& views,
                           const std::array<ServingConstant<Record>, N>& constants) {
    Entries<Record> entries;
    Record any;
    for (const schema::View& view : views) {
        Record one = any;
        for (const auto& constant : constants) {
            if (const auto value = view.number(constant.name)) one.*constant.member = *value;
        }
        one.source = view.text("source").value_or("");
        for (const std::string& name : view.texts("names")) {
            one.fitted = name != "any";
            entries[name] = one;
            if (name == "any") any = one;
        }
    }
    entries.try_emplace("any");
    return entries;
}

struct Tables {
    Entries<ServingChip> chips;
    Entries<ServingLink> links;
    Entries<ServingEngine> engines;
};

const Tables& tables() {
    static const Tables made = [] {
        Tables all;
        for (const EmbeddedFile& file : serving::embedded_files()) {
            const auto node = yaml::parse(file.bytes, file.path);
            // Our own file; a test reads it, too.
            WEIR_ASSERT(node.has_value());
            WEIR_ASSERT(schema::check(file_table(), *node, file.path).has_value());
            const schema::View view(*node);
            all.chips = entries_of(view.objects("chips"), of_chips);
            all.links = entries_of(view.objects("links"), of_links);
            all.engines = entries_of(view.objects("engines"), of_engines);
        }
        return all;
    }();
    return made;
}

template <class Record>
const Record& entry_of(const Entries<Record>& entries, std::string_view name) {
    const auto found = entries.find(name);
    return found != entries.end() ? found->second : entries.find("any")->second;
}

}  // namespace

std::span<const ServingConstant<ServingChip>> serving_chip_constants() {
    return of_chips;
}
std::span<const ServingConstant<ServingLink>> serving_link_constants() {
    return of_links;
}
std::span<const ServingConstant<ServingEngine>> serving_engine_constants() {
    return of_engines;
}

const ServingChip& serving_chip(std::string_view chip) {
    return entry_of(tables().chips, chip);
}
const ServingLink& serving_link(std::string_view link) {
    return entry_of(tables().links, link);
}
const ServingEngine& serving_engine(std::string_view engine) {
    return entry_of(tables().engines, engine);
}

}  // namespace weir::plan
