import java.util.*;
import java.util.concurrent.*;
import java.util.stream.*;

/** Orders of a made-up shop: parsed, grouped, sorted and printed by two threads, many times. */
public class Orders {
    record Order(int id, String who, long cents, List<String> items) {}

    static Order parse(String line) {
        String[] parts = line.split(";");
        return new Order(Integer.parseInt(parts[0]), parts[1], Long.parseLong(parts[2]),
                         Arrays.asList(parts[3].split(",")));
    }

    static String line(Random random, int id) {
        String items = random.ints(1 + random.nextInt(6), 0, 500).mapToObj(i -> "item" + i)
            .collect(Collectors.joining(","));
        return id + ";customer" + random.nextInt(900) + ";" + random.nextInt(100000) + ";" + items;
    }

    static String report(int seed) {
        Random random = new Random(seed);
        List<Order> orders = IntStream.range(0, 4000).mapToObj(i -> parse(line(random, i))).toList();
        Map<String, Long> spent = orders.stream()
            .collect(Collectors.groupingBy(Order::who, TreeMap::new, Collectors.summingLong(Order::cents)));
        Map<String, Long> sold = orders.stream().flatMap(o -> o.items().stream())
            .collect(Collectors.groupingBy(s -> s, Collectors.counting()));
        return spent.entrySet().stream().limit(50).map(Object::toString).collect(Collectors.joining("\n"))
            + sold.entrySet().stream().sorted(Map.Entry.comparingByValue()).limit(50)
                .map(e -> String.format("%s %05d", e.getKey(), e.getValue())).collect(Collectors.joining("\n"));
    }

    public static void main(String[] words) throws Exception {
        ExecutorService workers = Executors.newFixedThreadPool(2);
        List<Future<String>> reports = new ArrayList<>();
        for (int i = 0; i < 200; i++) {
            int seed = i;
            reports.add(workers.submit(() -> report(seed)));
        }
        long total = 0;
        for (Future<String> done : reports)
            total += done.get().length();
        workers.shutdown();
        System.out.println(total);
    }
}
