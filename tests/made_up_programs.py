"""Programs of a made-up build, which say what a made-up trace tells them to; no test itself. They
are run by the thousand and are in Perl, which starts in a fifth of the time that Python takes."""

# JSON read and written: numbers are told from strings, \1 is true and \0 is false.
PERL = r"""#!/usr/bin/perl
use strict;
use warnings;

sub json {
    my ($value) = @_;
    return "null" if !defined $value;
    return $$value ? "true" : "false" if ref $value eq "SCALAR";
    return "[" . join(",", map { json($_) } @$value) . "]" if ref $value eq "ARRAY";
    return "{" . join(",", map { json("$_") . ":" . json($value->{$_}) } keys %$value) . "}"
        if ref $value;
    return $value if ($value ^ $value) eq "0";
    $value =~ s/(["\\])/\\$1/g;
    return "\"$value\"";
}

sub text_of {
    open my $file, "<", $_[0] or die "$_[0]: $!\n";
    local $/;
    return scalar(<$file>) // "";
}

# An object; as good as what json.dumps writes.
sub object_in {
    my $text = text_of(@_);
    return if $text !~ /^\{.*\}\s*$/s;
    $text =~ s/([\$\@])/\\$1/g;
    $text =~ s/":/",/g;
    $text =~ s/\b(true|false)\b/$1 eq "true" ? 1 : 0/ge;
    return eval "+$text";
}

sub end {
    my ($status, $said) = @_;
    print STDERR "$said\n";
    exit $status;
}

sub allocator_of {
    my ($name) = $_[0] =~ m{^(?:.*/)?(?:lib)?([^./]*)[^/]*$};
    return $name eq "c" ? "glibc" : $name;
}

sub file_of {
    my ($path, $is_imposter) = @_;
    my ($device, $inode) = stat($is_imposter ? "/dev/null" : $path);
    return (device => $device, inode => $inode);
}

sub thp_is_disabled {
    return \(text_of("/proc/self/status") =~ /^THP_enabled:\s*0$/m ? 1 : 0);
}

"""

# Replays a trace of JSON: {"ops": N, "ns": {allocator: ns an op}, "rss": {...}, "faults": {...}}.
# Times that differ from run to run are a list; how many runs there were is the size of a file.
REPLAY = (
    PERL
    + r"""
my $path = pop @ARGV;
my $decays = grep { $_ eq "--decay" } @ARGV;
my %options = grep { $_ ne "--decay" } @ARGV;
my $library = $options{"--allocator"};
my $name = allocator_of($library);
my $trace = object_in($path) or die "$path: not a trace\n";

sub told {
    my ($what, $otherwise) = @_;
    return $trace->{$what}{$name} // $otherwise;
}

sub ns_an_op {
    my $ns = told("ns", 10);
    return $ns if !ref $ns;
    open my $runs, ">>", "$path.$name.runs" or die "$path: $!\n";
    $ns = $ns->[(-s $runs) % @$ns];
    print $runs "x";
    return $ns;
}

my $fault = told("faults", "");
my $pass = $options{"--pass"};
kill "SEGV", $$ if $fault eq "crash" or $fault eq "crash in $pass";
sleep if $fault eq "sleep";
end(1, "malloc comes from /lib/other.so, not from $library") if $fault eq "refuse";
my $is_model = ($options{"--model"} // "") eq "program";
my $ns = int($trace->{ops} * ns_an_op() * ($is_model ? 2 : 1));
my %answer = (
    ops => $trace->{ops} - ($fault eq "lazy" ? 1 : 0), skipped_ops => 0,
    checksum => $fault eq "checksum" ? "bad" : "good", peak_mapped => 1 << 20,
    real_time_ns => $ns, cpu_time_ns => $ns, user_ns => $ns, sys_ns => 0,
    minor_faults => told("page_faults", 3), major_faults => 0,
    thp_disabled => thp_is_disabled(), preload => $ENV{LD_PRELOAD},
    malloc => {path => "/lib/imposter.so", file_of($library, $fault eq "imposter")},
);
$answer{knows_present} = \($trace->{knows_present} // 0) if $options{"--touch"} eq "recorded";
@answer{"pauses", "paused_ns"} = (3, 40_000_000) if ($options{"--pauses"} // "") eq "recorded";
if ($pass eq "memory") {
    %answer = (
        %answer, peak_rss => told("rss", 1 << 20), peak_live => 1 << 19, waste => 0.5,
        huge_bytes => 2 << 20, rss_after_drain => 4096, baseline_rss => 8192,
    );
    if ($decays) {
        @answer{"rss_after_100ms", "rss_after_1s", "rss_after_5s"} = (3 << 20, 2 << 20, 1 << 20);
        $answer{rss_after_trim} = 1 << 19 if $name ne "span";
    }
    if ($options{"--curve"}) {
        open my $curve, ">", $options{"--curve"} or die "$!\n";
        print $curve "op,rss,live\n0,0,0\n10,4096,2048\n";
    }
}
$answer{in_calls_ns} = int($ns / 4), $answer{preempted} = 1 if $pass eq "calls";
my $threads = $trace->{threads} // 1;
if ($threads > 1 && $options{"--threads"} eq "original") {
    my @told = map { {thread => $_, ops => 9, cpu_ns => $ns, wait_ns => 7} } 0 .. $threads - 1;
    my $others = {threads => 5, ops => 5, cpu_ns => 5, wait_ns => 5};
    $_->{in_calls_ns} = int($ns / 8) for $pass eq "calls" ? (@told, $others) : ();
    %answer = (%answer, wait_ns => 7, per_thread => \@told, other_threads => $others);
}
if ($pass eq "limit") {
    my $survives = "$options{'--limit'}" >= told("need", 0);
    $answer{survived} = \($survives ? 1 : 0);
    @answer{"failed_at_op", "failed_live"} = (70, 7000) if !$survives;
    if (!$survives && $fault eq "die") {
        open my $ledger, ">", $options{"--ledger"} or die "$!\n";
        print $ledger pack("QQq", 1, 64, 6000);
        close $ledger;
        kill "ABRT", $$;
    }
}
print json(\%answer), "\n";
"""
)

# Lists and runs made-up workloads. What is to go wrong stands in the profile, as ALLOCATOR=FAULT.
WORKLOAD = (
    PERL
    + r"""
sub facts {
    my ($name, %more) = @_;
    return {
        name => $name, summary => "does $name", size_is => "blocks", size => 10, ops => 1000,
        threads => $more{threads_least} // 1, threads_least => 1, size_least => 2,
        needs_profile => \1, map({ $_ => \0 } qw(has_bound varies is_test)), %more,
    };
}

if ($ARGV[0] eq "--list") {
    my $crowd = facts("crowd", threads_least => 2, size_is => undef);
    my $foe = facts("foe", varies => \1, has_bound => \1);
    print json([facts("steady"), $crowd, $foe, facts("trial", is_test => \1)]), "\n";
    exit;
}
exit if $ARGV[0] eq "--check-profile";
my $workload = pop @ARGV;
my %options = @ARGV;
my $path = $options{"--allocator"};
my $name = allocator_of($path);
my $profile = text_of($options{"--profile"} // "/dev/null");
my ($allocator, $fault) = $profile =~ /^\s*([^=\s]*)=?(.*?)\s*$/s;
$fault = "" if $allocator ne $name;
end(1, "steady: malloc of 8 bytes returned NULL") if $fault eq "refuse";
my $threads = "$options{'--threads'}" + 0;
my $is_less = $fault eq "lazy" || ($workload eq "foe" && $name eq "span");
my $ops = $threads * ($options{"--ops"} // 1000) - ($is_less ? 1 : 0);
my $ns = int($ops * ($name eq "span" ? 30 : 20) / $threads);
my %answer = (
    workload => $workload, threads => $threads, ops => $ops, checksum => "good", refused => 0,
    told => {map { "$_" } @ARGV}, real_time_ns => $ns, cpu_time_ns => $ns, user_ns => $ns,
    sys_ns => 0, minor_faults => 3, major_faults => 0, peak_rss => 2 << 20, peak_live => 1 << 20,
    initial_rss => 0, baseline_rss => 4096, harness_bytes => 4096, rss_after_drain => 4096,
    malloc => {path => $path, file_of($path, $fault eq "imposter")},
);
$answer{bound} = 3 << 19 if $workload eq "foe";
print json(\%answer), "\n";
"""
)

# `trace info` of such a trace.
TRACE = (
    PERL
    + r"""
my $trace = object_in($ARGV[1]) or end(2, "$ARGV[1]: not a trace");
my %info = (
    ops => $trace->{ops}, threads => $trace->{threads} // 1, peak_live => 1 << 19,
    duration_ns => $trace->{duration_ns} // 1, bytes_per_op => 1.5,
    origin => {program => "made-up"}, losses => {}, failed => 0,
    by_kind => {malloc => $trace->{ops}, thread_start => 0, thread_end => 0},
);
print json(\%info), "\n";
"""
)

# Prints what Google Benchmark would of benchmarks that take a size's logarithm in nanoseconds, and
# twice that under span. What is to go wrong stands in --benchmark_context=ALLOCATOR=FAULT.
MICRO = (
    PERL
    + r"""
my @words = @ARGV;
my %flags = map { /^(--benchmark_[^=]*)=?(.*)$/s ? ($1 => $2) : () } @words;
end(2, "micro: error: unrecognized command-line flag") if exists $flags{"--benchmark_nix"};
my ($place) = grep { $words[$_] eq "--allocator" } 0 .. $#words;
my $path = defined $place ? $words[$place + 1] : "/lib/libx.so";
my $name = allocator_of($path);
my $wanted = $flags{"--benchmark_filter"} // ".";
my @names = map { "pair/$_" } 8, 64, 512, 4096, 32768;
push @names, "elsewhere/64/real_time", "few/iterations:3";
push @names, "inside" if $0 =~ /span/;
@names = grep { /$wanted/ } @names;
end(2, "Failed to match any benchmarks against regex: x") if !@names;
if (exists $flags{"--benchmark_list_tests"}) {
    print map { "$_\n" } @names;
    exit;
}
my ($allocator, $spec) = ($flags{"--benchmark_context"} // "") =~ /^([^=]*)=?(.*)$/s;
my $fault = $allocator eq $name ? $spec : "";
kill "SEGV", $$ if $fault eq "crash";
my $times = int(($flags{"--benchmark_repetitions"} // "") || 1);
my @entries;

# Of a power of two, exactly.
sub logarithm {
    return length(sprintf "%b", $_[0]) - 1;
}

for my $benchmark (@names) {
    my $size = join("", $benchmark =~ m{/(\d+)}g) || 8;
    my $ns = logarithm($size) * ($name eq "span" ? 2 : 1);
    for my $i (0 .. $times - 1) {
        push @entries, {
            name => $benchmark, run_name => $benchmark, run_type => "iteration", threads => 1,
            repetitions => $times, repetition_index => $i, iterations => 1000,
            real_time => 2 * $ns, cpu_time => $ns, time_unit => "ns", spare => 7,
            $fault eq "error"
                ? (error_occurred => \1, error_message => "no memory", real_time => 0) : (),
        };
    }
    push @entries, {%{$entries[-1]}, name => "${benchmark}_mean", run_type => "aggregate"}
        if $times > 1;
}
my %file = file_of($path, $fault eq "imposter");
my %context = (
    malloc_path => $path, malloc_device => "$file{device}", malloc_inode => "$file{inode}",
    library_build_type => "debug", told => \@words, $allocator => $spec,
);
print json({context => \%context, benchmarks => \@entries}), "\n";
"""
)
