// Inside of read_launch(): what the readers for the frameworks share.
//
// A Reader asks the options it knows, one after the other; the first thing that cannot be is kept
// and everything after it is idle, so that readers are plain lists of questions. What nobody asked
// for is sorted by rank at the end.
//
// Threads: a Reader belongs to one thread.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "weir/base/result.hpp"
#include "weir/plan/launch.hpp"
#include "weir/plan/shell_script.hpp"

namespace weir::plan {

// The command of a script that starts the training, apart.
struct FoundCommand {
    std::vector<std::string> launcher;   // up to the program
    std::string program;                 // "pretrain_gpt.py", "torchtitan.train"; "" = bare options
    std::vector<std::string> arguments;  // behind it
};

// Chips as the launcher says them; 0 = it does not.
struct Started {
    std::uint64_t nodes = 0;
    std::uint64_t per_node = 0;
    std::uint64_t chips = 0;      // where they are said as one number
    std::string unknown{};        // "--nnodes is $SLURM_NNODES, which the script does not set"
    bool one_is_default = false;  // torchrun: what is not said is 1
};
Started started_by(const FoundCommand& command);

class Reader {
public:
    Reader(std::string_view source, Framework framework, const LaunchHints& hints)
        : source_(source), hints_(hints) {
        out.framework = framework;
    }

    // Options as they were given; the last of equal names counts, as in argparse.
    void take(const std::vector<std::string>& arguments);
    void take(std::string name, std::vector<std::string> values);

    [[nodiscard]] bool has(std::string_view name) const { return options_.count(name) != 0; }
    // The option, if it was given; asking marks it as understood.
    bool flag(std::string_view name);
    std::optional<std::string> word(std::string_view name);
    std::vector<std::string> words(std::string_view name);
    // The same where nothing may be given: an empty list.
    std::vector<std::string> list(std::string_view name);
    // A whole number from `low` on; nullopt = not given.
    std::optional<std::uint32_t> number(std::string_view name, std::uint32_t low = 1);
    std::optional<double> amount(std::string_view name);
    // The same with what holds where it is not given, which is noted as assumed.
    std::uint32_t number_or(std::string_view name, std::uint32_t otherwise, std::string_view why);
    // One of these words.
    std::optional<std::string> choice(std::string_view name, std::vector<std::string_view> valid);

    void assume(std::string sentence) { out.assumed.push_back(std::move(sentence)); }
    void not_modelled(std::string sentence) { out.not_modelled.push_back(std::move(sentence)); }
    void refuse(Code code, std::string_view sentence);
    void refuse(std::string_view sentence) { refuse(Code::invalid, sentence); }
    [[nodiscard]] bool good() const { return !problem_.has_value(); }

    [[nodiscard]] const LaunchHints& hints() const { return hints_; }
    [[nodiscard]] std::string_view source() const { return source_; }

    // Chips by launcher or hint; then data parallelism is what tp, pp and cp leave.
    void settle_chips(const Started& started);
    void settle_data_parallelism();
    // Sorts what nobody asked for, checks the whole.
    Result<ReadLaunch> finish();

    ReadLaunch out;

private:
    struct Option {
        std::vector<std::string> values;
        bool asked = false;
    };
    Option* ask(std::string_view name);

    std::string source_;
    LaunchHints hints_;
    std::map<std::string, Option, std::less<>> options_;
    std::optional<Error> problem_;
};

// Each fills reader.out from the options taken.
void read_megatron(Reader& reader, const Started& started);  // and MindSpeed
void read_deepspeed(Reader& reader, const Started& started, const ShellScript& script);
void read_torchtitan(Reader& reader, const Started& started);
// The JSON alone.
void read_deepspeed_json(Reader& reader, std::string_view text, std::string_view source);

// "E,t*3|(tt|)*2,mL" as one letter each, stages split by |; nullopt = it is no layout.
std::optional<std::string> plain_layout(std::string_view layout);

// Parts of read_megatron that others use.
void read_widths(Reader& reader);  // layers, hidden, heads, feed-forward, sequence
void read_vocabulary(Reader& reader);
void read_batches(Reader& reader);  // after data parallelism
void read_tokens(Reader& reader);
// "([0]*3+[1]*58)" or "2"; nullopt = it is neither.
std::optional<std::vector<int>> expert_layers(std::string_view pattern, std::uint32_t layers);
// Experts as a model has them; false = no such model.
bool set_expert_layers(catalog::Experts& experts, const std::vector<int>& layers);

}  // namespace weir::plan
