// Calls nap until its input ends.
public class Sleeper {
    static void nap() throws Exception { Thread.sleep(1); }

    public static void main(String[] args) throws Exception {
        System.out.println("ready");
        while (System.in.available() == 0) nap();
    }
}
