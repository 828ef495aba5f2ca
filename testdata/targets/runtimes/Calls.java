// Deterministic Java target: prints `CLASS.METHOD CALLS` lines, its own count of every call of its methods.
import java.util.TreeMap;

public class Calls {
    static final TreeMap<String, Integer> n = new TreeMap<>();

    static synchronized void hit(String name) {
        n.merge("Calls.hit", 1, Integer::sum);
        n.merge(name, 1, Integer::sum);
    }

    static int fib(int k) {
        hit("Calls.fib");
        return k < 2 ? k : fib(k - 1) + fib(k - 2);
    }

    static void raiser(int k) {
        hit("Calls.raiser");
        if (k == 0) throw new IllegalStateException("x");
        raiser(k - 1);
    }

    static void catcher() {
        hit("Calls.catcher");
        try { raiser(3); } catch (IllegalStateException e) { }
    }

    interface Shape { int area(); }

    static class Square implements Shape {
        final int w;
        Square(int w) { hit("Calls$Square.<init>"); this.w = w; }
        public int area() { hit("Calls$Square.area"); return w * side(); }
        private int side() { hit("Calls$Square.side"); return w; }
    }

    public static void main(String[] args) throws Exception {
        hit("Calls.main");
        fib(10);
        for (int i = 0; i < 5; i++) catcher();
        for (int i = 1; i < 4; i++) new Square(i).area();
        Runnable r = () -> hit("Calls.lambda$main$0");
        for (int i = 0; i < 6; i++) r.run();
        Thread[] t = new Thread[3];
        for (int i = 0; i < 3; i++) { t[i] = new Thread(Calls::work, "worker-" + i); t[i].start(); }
        for (Thread x : t) x.join();
        if (args.length > 0) hot(Integer.parseInt(args[0]));
        n.forEach((k, v) -> System.out.println(k + " " + v));
    }

    static void work() { hit("Calls.work"); fib(8); }

    static int hot(int k) { // long enough for the compiler
        int s = 0;
        for (int i = 0; i < k; i++) s += add(s, i);
        n.put("Calls.add", k);
        n.put("Calls.hot", 1);
        return s;
    }

    static int add(int a, int b) { return a ^ b; }
}
