#include "weir/job/job_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "weir/base/mutation.hpp"
#include "weir/job/schema.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace weir::job {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* whole_job = R"(name: wing-flutter
tenant: university/aero            # path in the organisation tree; default from the user's login
run: mpirun -n 32 ./flutter in.nml # or script: | …multi-line…
priority: normal                   # low | normal | high | urgent
gang:                              # what must start together, whole or not at all
  replicas: 8                      # workers; each lives on one node
  chips: 4                         # accelerators per replica (0 = CPU only); fractions 0.1..0.9 share one chip
  cpus: 32                         # per replica
  memory: 128GiB                   # per replica
  within: rack                     # required: node | rack | pod | pool | site (default site)
  prefer: node                     # wished; shows in the score, never blocks
chips:                             # which chips may serve; all optional
  any_of: [h200, a100-sxm-80g, ascend-910b3]
  stack: [cuda, cann]              # software the program was built for
  memory: 64GiB                    # at least, per chip
precision:                         # the contract
  result: {format: fp64, tolerance: 1e-12}
  accept: [native, emulated>=certified]        # default [native]
work:                              # optional
  - {op: gemm,   flops: 6.3e17, bytes: 4.0e15, dim: 16384, format: fp64}
  - {op: vector, flops: 3.3e16, bytes: 2.0e16, format: fp64}
time: {limit: 4h, expected: 3h}
deadline: 2026-12-01T08:00:00Z
checkpoint: {every: 30min, cost: 90s, signal: USR1}
retries: 2
data:
  in:  [{dataset: era5-2020, as: data/era5}]
  out: [{path: out, dataset: flutter-42, keep: 30d}]
after: [mesh-wing]
array: 0-99%10
env: {OMP_NUM_THREADS: 8}
budget: 500 CNY
sites: [wuxi-hpc, local]
)";

constexpr const char* training_job = R"(name: pretrain-8b
tenant: startup
train:
  model: llama-3.1-8b              # catalogue name, or a path to a Hugging Face config.json
  sequence: 8192
  global_batch: 1024               # sequences
  tokens: 20e9
  precision: bf16                  # fp8 | bf16 | fp16 | fp32 for the matrix work
  chips: 16..256                   # elastic range; one number = rigid
  framework: megatron-lm           # megatron-lm | deepspeed | mindspeed | torchtitan
run: ./pretrain.sh
)";

std::string refusal(const std::string& text) {
    const auto parsed = read_job_text(text, "j.yaml");
    return parsed.has_value() ? "accepted" : parsed.error().message;
}

JobSpec accepted(const std::string& text) {
    const auto parsed = read_job_text(text, "j.yaml");
    EXPECT_TRUE(parsed.has_value()) << parsed.error().message;
    return parsed.has_value() ? parsed->spec : JobSpec{};
}

TEST(JobFile, ReadsTheWholeLanguage) {
    const JobSpec spec = accepted(whole_job);
    EXPECT_EQ(spec.name, "wing-flutter");
    EXPECT_EQ(spec.tenant, "university/aero");
    EXPECT_EQ(spec.script, "mpirun -n 32 ./flutter in.nml");
    EXPECT_EQ(spec.launch, LaunchMode::once);
    EXPECT_EQ(spec.priority, Priority::normal);
    EXPECT_EQ(spec.gang.replicas, 8U);
    EXPECT_EQ(spec.gang.chips, 4U);
    EXPECT_EQ(spec.gang.cpus_milli, 32'000U);
    EXPECT_EQ(spec.gang.memory, gibibytes(128));
    EXPECT_EQ(spec.gang.within, fleet::Level::rack);
    EXPECT_EQ(spec.gang.prefer, fleet::Level::node);
    EXPECT_THAT(spec.chips_any_of, ElementsAre("h200", "a100-sxm-80g", "ascend-910b3"));
    EXPECT_THAT(spec.sites, ElementsAre("wuxi-hpc", "local"));
    EXPECT_EQ(spec.limit, seconds(4 * 3600));
    EXPECT_EQ(spec.expected, seconds(3 * 3600));
    EXPECT_EQ(spec.retries, 2U);
    ASSERT_TRUE(spec.checkpoint.has_value());
    EXPECT_EQ(spec.checkpoint->every, seconds(1800));
    EXPECT_EQ(spec.checkpoint->signal, 10);
    EXPECT_THAT(spec.after, ElementsAre("mesh-wing"));
    ASSERT_TRUE(spec.array.has_value());
    EXPECT_EQ(spec.array->indices.size(), 100U);
    EXPECT_EQ(spec.array->at_once_max, 10U);
    EXPECT_EQ(spec.env.at("OMP_NUM_THREADS"), "8");
    EXPECT_THAT(spec.chips_stack, ElementsAre("cuda", "cann"));
    EXPECT_EQ(spec.chips_memory, gibibytes(64));
    ASSERT_TRUE(spec.precision.has_value());
    EXPECT_EQ(spec.precision->format, catalog::Format::fp64);
    EXPECT_EQ(spec.precision->tolerance, (Tolerance{"", 1e-12}));
    EXPECT_THAT(spec.precision->accept,
                ElementsAre(Accept{catalog::Way::native, catalog::Grade::strict},
                            Accept{catalog::Way::emulated, catalog::Grade::certified}));
    ASSERT_EQ(spec.work.size(), 2U);
    EXPECT_EQ(spec.work[0].op, catalog::Op::gemm);
    EXPECT_EQ(spec.work[0].flops, 6.3e17);
    EXPECT_EQ(spec.work[0].dim, 16384U);
    EXPECT_EQ(spec.work[1].format, catalog::Format::fp64);
    EXPECT_TRUE(spec.not_honoured.empty());
    EXPECT_THAT(spec.data_in, ElementsAre(DataIn{"era5-2020", "data/era5"}));
    EXPECT_THAT(spec.data_out, ElementsAre(DataOut{"out", "flutter-42", seconds(30 * 86'400)}));
    EXPECT_EQ(spec.budget, *parse_money("500 CNY"));
    EXPECT_EQ(spec.deadline, *parse_time("2026-12-01T08:00:00Z"));
}

TEST(JobFile, ReadsATrainingJob) {
    const auto parsed = read_job_text(training_job, "j.yaml");
    ASSERT_TRUE(parsed.has_value()) << parsed.error().message;
    EXPECT_TRUE(parsed->spec.not_honoured.empty());
    ASSERT_TRUE(parsed->spec.train.has_value());
    EXPECT_EQ(*parsed->spec.train,
              (Train{.model = "llama-3.1-8b",
                     .config = "",
                     .sequence = 8192,
                     .global_batch = 1024,
                     .tokens = 20e9,
                     .precision = "bf16",
                     .chips = {16, 256},
                     .framework = "megatron-lm"}));
    const auto again = read_job_text(print_job(parsed->spec), "printed");
    ASSERT_TRUE(again.has_value()) << again.error().message;
    EXPECT_EQ(again->spec, parsed->spec);
}

TEST(JobFile, LeavesToThePlannerWhatATrainingJobLeavesToIt) {
    const std::string train = "run: a\ntrain: {model: m, tokens: 1e9, chips: 16..64}\n";
    EXPECT_THAT(accepted(train + "gang: {cpus: 8, memory: 1GiB}\n").gang.cpus_milli, 8000);
    EXPECT_THAT(refusal(train + "gang: {replicas: 2}\n"),
                HasSubstr("j.yaml:3:18: gang.replicas: a training job says in train.chips"));
    EXPECT_THAT(refusal(train + "work: [{op: gemm, flops: 1}]\n"), HasSubstr("follows from train"));
    EXPECT_THAT(refusal(train + "time: {expected: 1h}\n"),
                HasSubstr("time.expected: with 16 chips it takes another time than with 64"));
    EXPECT_TRUE(
        accepted("run: a\ntrain: {model: m, tokens: 1e9, chips: 16}\ntime: {expected: 1h}\n")
            .expected.has_value());
    EXPECT_THAT(refusal("run: a\ntrain: {model: m, chips: 8}\n"),
                HasSubstr("train: the key 'tokens' is missing"));
    EXPECT_THAT(refusal("run: a\ntrain: {model: m, tokens: 1e9, chips: 0}\n"),
                HasSubstr("'0' is not a number of chips or a range of them"));
}

TEST(JobFile, ReadsTheModelOfAPathBesideTheJob) {
    JobSpec spec = accepted("run: a\ntrain: {model: no/config.json, tokens: 1e9, chips: 8}\n");
    const auto missing = read_train_config(spec, "/nowhere");
    ASSERT_FALSE(missing.has_value());
    EXPECT_THAT(missing.error().message, HasSubstr("train.model: /nowhere/no/config.json"));
    spec.train->model = "llama-3-8b";
    EXPECT_TRUE(read_train_config(spec, "/nowhere").has_value());
    EXPECT_EQ(spec.train->config, "");
}

TEST(JobFile, FillsInWhatIsNotSaid) {
    const JobSpec spec = accepted("run: ./a.out\n");
    JobSpec expected;
    expected.name = "j";  // of the file
    expected.script = "./a.out";
    EXPECT_EQ(spec, expected);
    EXPECT_EQ(spec.gang.cpus_milli, 1000U);
    EXPECT_EQ(read_job_text("run: a", "-")->spec.name, "");
    EXPECT_EQ(read_job_text("run: a", "/jobs/2026.yaml")->spec.name, "");  // would look like an id
    EXPECT_EQ(read_job_text("{\"run\": \"a\"}", "jobs/wing.json")->spec.name, "wing");
}

TEST(JobFile, TakesTheMembersOfAnArrayAsAListToo) {
    EXPECT_THAT(accepted("run: a\narray: [5, 1, 2]\n").array->indices, ElementsAre(1, 2, 5));
}

TEST(JobFile, NotesTheCodesOfAnOutputFileThatStandForNothing) {
    const auto parsed = read_job_text("run: a\nstdout: '%q/%j.%4a%%q.%q%z'\n", "j.yaml");
    ASSERT_TRUE(parsed.has_value());
    EXPECT_THAT(parsed->notes,
                ElementsAre("`stdout`: %q stays as it is in %q/%j.%4a%%q.%q%z",
                            "`stdout`: %z stays as it is in %q/%j.%4a%%q.%q%z"));
}

TEST(JobFile, TakesTypesFromTheKeyAndNotFromTheLook) {
    const JobSpec spec = accepted(
        "name: no\nrun: 1e3\ncomment: 08:30\nenv: {A: 1, B: yes, C: '', D: 1.50}\nafter: 12\n"
        "gang: {chips: '0.25', replicas: \"2\"}\n");
    EXPECT_EQ(spec.name, "no");
    EXPECT_EQ(spec.script, "1e3");
    EXPECT_EQ(spec.comment, "08:30");
    EXPECT_EQ(spec.env.at("B"), "yes");
    EXPECT_EQ(spec.env.at("C"), "");
    EXPECT_EQ(spec.env.at("D"), "1.50");
    EXPECT_THAT(spec.after, ElementsAre("12"));
    EXPECT_EQ(spec.gang.chip_permille, 250U);
    EXPECT_EQ(spec.gang.chips, 0U);
    EXPECT_EQ(spec.gang.replicas, 2U);
}

TEST(JobFile, StartsLaunchersOnceAndEverythingElseOnEveryReplica) {
    const auto mode = [](const std::string& command) {
        return accepted("script: |\n  " + command + "\n").launch;
    };
    for (const char* once : {"mpirun -n 4 ./a",
                             "OMP_NUM_THREADS=4 exec /usr/bin/mpiexec ./a",
                             "nice -n 5 srun ./a",
                             "cd /x\n  torchrun train.py"}) {
        EXPECT_EQ(mode(once), LaunchMode::once) << once;
    }
    for (const char* each :
         {"./a", "echo mpirun", "# mpirun ./a\n  ./a", "mpirun.sh", "a=mpirun"}) {
        EXPECT_EQ(mode(each), LaunchMode::replicas) << each;
    }
    EXPECT_EQ(accepted("run: mpirun ./a\nlaunch: replicas\n").launch, LaunchMode::replicas);
    EXPECT_EQ(accepted("run: ./a\nlaunch: once\n").launch, LaunchMode::once);
}

TEST(JobFile, RefusesAnUnknownKeyAndNamesTheNearestOne) {
    EXPECT_EQ(refusal("run: a\nprioritty: high\n"),
              "j.yaml:2:1: 'prioritty' is not a key of job; did you mean 'priority'?");
    EXPECT_THAT(refusal("run: a\nreplicas: 8\n"), HasSubstr("it belongs to gang.replicas"));
    EXPECT_THAT(refusal("run: a\nrequeue: no\n"), HasSubstr("write retries"));
    EXPECT_THAT(refusal("run: a\ngang: {gpus: 4}\n"),
                HasSubstr("gang: 'gpus' is not a key of gang; "
                          "write chips"));
}

TEST(JobFile, RefusesWrongValuesAndShowsRightOnes) {
    EXPECT_EQ(refusal("run: a\ngang: {memory: 128}\n"),
              "j.yaml:2:16: gang.memory: '128' has no unit: write 128GiB or 128MiB");
    EXPECT_THAT(refusal("run: a\ngang: {replicas: -1}\n"),
                HasSubstr("gang.replicas: -1 is out of range; valid are 1 to 1000000"));
    EXPECT_THAT(refusal("run: a\ntime: {limit: 4}\n"), HasSubstr("write 4s, 4min or 4h"));
    EXPECT_THAT(refusal("run: a\ntime: {limit: 0s}\n"), HasSubstr("valid are durations over 0s"));
    EXPECT_THAT(refusal("run: a\ntime: 4h\n"), HasSubstr("a map with the keys limit, expected"));
    EXPECT_THAT(refusal("run: a\ntime: {limit: 1h, expected: 2h}\n"),
                HasSubstr("j.yaml:2:29: time.expected: 2h 00m is longer than the limit, 1h 00m"));
    for (const char* chips : {"-1", "1.5", "0.05", "0.95", "65", "0.12345", "many", "nan"}) {
        EXPECT_THAT(refusal(std::string("run: a\ngang: {chips: ") + chips + "}\n"),
                    HasSubstr("a share of one chip from 0.1 to 0.9"))
            << chips;
    }
    EXPECT_THAT(refusal("run: a\nname: 12_3\n"), HasSubstr("looks like the id of a job"));
    EXPECT_THAT(refusal("run: a\nname: a/b\n"), HasSubstr("must not contain"));
    EXPECT_THAT(refusal("run: a\ntenant: a//b\n"), HasSubstr("university/aero"));
    EXPECT_THAT(refusal("run: a\nenv: {WEIR_HUB: x}\n"), HasSubstr("set by weir itself"));
    EXPECT_THAT(refusal("run: a\nenv: {2X: x}\n"), HasSubstr("not begin with a digit"));
    EXPECT_THAT(refusal("run: a\nworkdir: data\n"), HasSubstr("is not an absolute path"));
    EXPECT_THAT(refusal("run: a\narray: []\n"), HasSubstr("j.yaml:2:8: array: has no members"));
    EXPECT_THAT(refusal("run: a\narray: [1, x]\n"), HasSubstr("array[1]: 'x'"));
    EXPECT_THAT(refusal("run: a\nenv: {RANK: 7}\n"), HasSubstr("'RANK' is set by weir itself"));
    EXPECT_THAT(refusal("run: a\narray: 5-1\n"), HasSubstr("write ranges such as 0-99"));
    EXPECT_THAT(refusal("run: a\narray: 0-999999\n"), HasSubstr("more than 100000 members"));
    EXPECT_THAT(refusal("run: a\ncheckpoint: {every: 1h, signal: BREAK}\n"),
                HasSubstr("is not a signal"));
    EXPECT_THAT(refusal("run: a\nprecision: {result: {format: fp64}, accept: [native>=strict]}\n"),
                HasSubstr("emulated>=certified"));
    EXPECT_THAT(refusal("run: a\nprecision: {accept: [native]}\n"),
                HasSubstr("precision: the key 'result' is missing"));
    EXPECT_THAT(refusal("run: a\nprecision: {result: {format: double}}\n"),
                HasSubstr("j.yaml:2:30: precision.result.format: 'double' is not one of fp64"));
    EXPECT_THAT(refusal("run: a\nprecision: {result: {format: fp64}, accept: [host]}\n"),
                HasSubstr("'host' is not a way to reach a precision"));
    EXPECT_THAT(refusal("run: a\nwork: [{op: gemm, flops: -1}]\n"),
                HasSubstr("work[0].flops: -1 is out of range"));
    EXPECT_THAT(refusal("run: a\nchips: {memory: 64}\n"), HasSubstr("write 64GiB"));
    EXPECT_THAT(refusal("run: a\nbudget: 500\n"), HasSubstr("write 500 CNY"));
    EXPECT_THAT(refusal("run: a\ntrain: {model: m, tokens: 1, chips: 256..16}\n"),
                HasSubstr("16..256"));
    EXPECT_THAT(refusal("run: a\ngang: {within: node, prefer: rack}\n"),
                HasSubstr("is wider than"));
    EXPECT_THAT(refusal("name: x\nrun: a\nafter: x\n"), HasSubstr("'x' is this job itself"));
    EXPECT_THAT(refusal("run: a\noutput_limit: 10B\n"), HasSubstr("1KiB and more"));
}

TEST(JobFile, TakesNamesAndPathsOfDatasetsThatStayWhereTheyBelong) {
    const auto reads = [](const std::string& in) {
        return refusal("run: a\ndata: {in: [" + in + "]}\n");
    };
    EXPECT_EQ(reads("{dataset: a, as: x}, {dataset: b, as: y/z}, {dataset: c}"), "accepted");
    EXPECT_THAT(reads("{dataset: ../a}"), HasSubstr("data.in[0].dataset"));
    EXPECT_THAT(reads("{dataset: .weir}"), HasSubstr("must not begin with a dot"));
    for (const char* path : {"/etc", "..", "a/../../b", "a//b", "a/", "./a"}) {
        EXPECT_THAT(reads(std::string("{dataset: a, as: ") + path + "}"),
                    HasSubstr("must be a path below the working folder, such as data/era5"))
            << path;
    }
    EXPECT_THAT(reads("{dataset: a}, {dataset: a}"), HasSubstr("data.in: 'a' is there twice"));
    EXPECT_THAT(reads("{dataset: a, as: x}, {dataset: b, as: x}"),
                HasSubstr("data.in.as: 'x' is there twice"));
    EXPECT_THAT(reads("{dataset: a, as: x}, {dataset: b, as: x/y}"),
                HasSubstr("data: 'x/y' is inside of 'x'"));
    const std::string out = "data: {in: [{dataset: a}], out: [{path: out, dataset: ";
    EXPECT_EQ(refusal("run: a\n" + out + "b, keep: 30d}]}\n"), "accepted");
    EXPECT_THAT(refusal("run: a\n" + out + "a}]}\n"), HasSubstr("'a' is read or made already"));
}

TEST(JobFile, NeedsExactlyOneThingToRun) {
    EXPECT_THAT(refusal("name: x\n"), HasSubstr("says nothing to run"));
    EXPECT_THAT(refusal("run: a\nscript: b\n"), HasSubstr("exclude each other"));
    EXPECT_THAT(refusal("run: '  '\n"), HasSubstr("run: is empty"));
    EXPECT_THAT(refusal(""), HasSubstr("j.yaml: is empty"));
    EXPECT_THAT(refusal("- run: a\n"), HasSubstr("a job is a map"));
}

TEST(JobFile, ReportsSeveralProblemsTogether) {
    const std::string all = refusal("run: a\ngang: {memory: 5, cpu: 3}\nretries: many\n");
    EXPECT_THAT(all, HasSubstr("j.yaml:2:16"));
    EXPECT_THAT(all, HasSubstr("j.yaml:2:19"));
    EXPECT_THAT(all, HasSubstr("j.yaml:3:10"));
}

TEST(JobFile, ReadsBackWhatItPrints) {
    JobSpec spec = accepted(whole_job);
    spec.not_honoured.clear();
    spec.script = "#!/bin/sh\n\techo \"a: \\b\" # ' \n\n";
    const auto again = read_job_text(print_job(spec), "printed");
    ASSERT_TRUE(again.has_value()) << again.error().message;
    EXPECT_EQ(again->spec, spec);
}

TEST(JobFile, SurvivesItsFuzzCorpusAndMutationsOfIt) {
    const std::vector<std::string> corpus = {
        whole_job,
        training_job,
        "run: a\nprecision: {result: {format: fp32, tolerance: {metric: energy_drift, value: 2}}, "
        "accept: [pair, quantised>=best_effort], range_bits: 9, specials: required, reproducible: "
        "bitwise, on_unsatisfied: degrade}\nwork: [{name: a, op: fft, flops: 1e3, storage: "
        "bf16}]\n",
        "run: a\ngang: {chips: 0.5, cpus: 0.5, memory: 1.5GiB}\narray: 1,3,5-9:2\n",
        "{\"name\": \"x\", \"run\": \"a\\n\\tb\", \"env\": {\"A\": \"\\u4e2d\"}}",
        "script: |\n  #!/usr/bin/env python3\n  print('x')\nstdout: out/%j\ngrace: 1m30s\n",
        "#!/bin/bash\n#SBATCH -J x -N 2 --ntasks-per-node=4 -t 1-2:30\n#SBATCH --gres=gpu:h200:4 "
        "--mem=4G\n#SBATCH -d afterok:1:2,afterany:3 -a 1-9:2%3\nsrun ./a \"$1\"\n",
        "#!/bin/sh\n#SBATCH -n 6 -c 2 --mem-per-cpu=100M -o 'o %j' --export=A=1,ALL --exclusive\n",
    };
    Random random(3);
    for (const std::string& seed : corpus) {
        for (int round = 0; round < 500; ++round) {
            const std::string text =
                round == 0 ? seed : mutated(seed, "0123456789.%-:,=[]{}\"' \n", random);
            LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
        }
    }
}

}  // namespace
}  // namespace weir::job
