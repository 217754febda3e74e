#!/bin/sh
# High-Performance Linpack in FP64, from Debian's hpcc, on two MPI ranks: factorises a dense
# matrix, checks the residual, prints the rate. Ends with 1 when the answer is numerically wrong.
set -eu
here=$(pwd)
out=${OUT_DIR:-$here/out}/linpack
mkdir -p "$out"
cp "$here/hpccinf.txt" "$out/"
cd "$out"
rm -f hpccoutf.txt

# weir reserved two CPUs for this job: one rank each, one BLAS thread a rank. A container's root
# is as good a user as any other here, and Open MPI wants to hear that twice.
export OPENBLAS_NUM_THREADS=1 OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
mpirun -n 2 --oversubscribe --bind-to none --mca mpi_yield_when_idle 1 hpcc

field() { sed -n "s/^$1=//p" hpccoutf.txt | tail -n 1; }
if ! grep -q '^Begin of Summary' hpccoutf.txt; then
    echo "linpack: hpcc ended without a summary; see $out/hpccoutf.txt" >&2
    exit 1
fi
# HPL prints one PASSED or FAILED line for every system it solved.
if grep -q '\.\. *FAILED' hpccoutf.txt || ! grep -q '\.\. *PASSED' hpccoutf.txt; then
    echo "linpack: the residual check failed; see $out/hpccoutf.txt" >&2
    exit 1
fi
{
    echo "n=$(field HPL_N)"
    echo "HPL_Tflops=$(field HPL_Tflops)"
    echo "HPL_time_s=$(field HPL_time)"
    echo "StarSTREAM_Triad_GBs=$(field StarSTREAM_Triad)"
} | tee result.txt
echo "$(field HPL_Tflops | awk '{ printf "%.1f", 1000 * $1 }') GFLOP/s in FP64 (HPL_Tflops=$(field HPL_Tflops)), residual check passed"
