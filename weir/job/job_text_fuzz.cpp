// Any bytes as `weir submit` takes them, job file or batch script by their beginning: refused, or
// a job that survives both of its written forms.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "weir/base/assert.hpp"
#include "weir/job/job_json.hpp"
#include "weir/job/sbatch.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace weir;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto parsed = job::looks_like_script(text)
                            ? job::read_sbatch_text(text, "fuzz", {"a b", "it's"})
                            : job::read_job_text(text, "fuzz");
    if (!parsed.has_value()) {
        WEIR_ASSERT(parsed.error().message.rfind("fuzz", 0) == 0);
        return 0;
    }
    const auto from_json = job::spec_from_json(job::spec_to_json(parsed->spec));
    WEIR_ASSERT(from_json.has_value());
    WEIR_ASSERT(*from_json == parsed->spec);

    // What is only checked is not printed, nor what only a script of Slurm can say.
    job::JobSpec honoured = parsed->spec;
    honoured.not_honoured.clear();
    honoured.batch_script = false;
    honoured.gpus = false;
    const auto again = job::read_job_text(job::print_job(honoured), "printed");
    WEIR_ASSERT(again.has_value());
    WEIR_ASSERT(again->spec == honoured);
    return 0;
}
